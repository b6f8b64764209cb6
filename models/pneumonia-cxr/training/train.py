"""Trains one network per fold and keeps what each says of the films that it never saw.

    python train.py --data ../../../shared/data/chest-radiographs --out runs

Writes runs/fold-K.pt (averaged weights) and runs/out-of-fold.csv. Never opens the test split.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from augment import exposure, jitter
from dataset import DATA, Split, folds, load, read_grey
from network import Network

SEED = 20260101
FOLDS = 3
BATCH = 48
PEAK_RATE = 4e-3
WEIGHT_DECAY = 0.02
SMOOTHING = 0.05
MIXING = 0.3
"""Beta(a, a) of mix-up (Zhang et al. 2018)."""
AVERAGING = 0.998
"""Decay of the weights' moving average: it remembers about 500 of the 1,200 steps."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--out", type=Path, default=Path("runs"))
    options.add_argument("--folds", type=int, default=FOLDS)
    options.add_argument("--only", type=int, nargs="*", help="train these folds only")
    options.add_argument("--epochs", type=int, default=18)
    options = options.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    split = load(options.data, {"train", "tune", "val"})
    natives = _natives(options.data, split)
    fold_of = folds(split.patients, options.folds, SEED)
    for fold in options.only if options.only is not None else range(options.folds):
        network = train(split, natives, fold_of != fold, options.epochs, SEED + fold)
        torch.save(network.state_dict(), options.out / f"fold-{fold}.pt")
        _keep(options.out / f"out-of-fold-{fold}.csv", network, split, fold_of == fold)


def _natives(data: Path, split: Split) -> dict[int, np.ndarray]:
    """The films of their own aspect ratio, resized here: another resampling of the same film."""
    return {index: read_grey(data / native) for index, native in enumerate(split.native) if native}


def train(split: Split, natives: dict[int, np.ndarray], chosen: np.ndarray, epochs: int, seed: int) -> Network:
    """One network on the chosen films; both classes are drawn equally often."""
    torch.manual_seed(seed)
    draw, pick = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    network = Network().to(memory_format=torch.channels_last)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGING), use_buffers=True
    )
    classes = [np.flatnonzero(chosen & (split.labels == label)) for label in (0, 1)]
    steps = epochs * int(chosen.sum()) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps, pct_start=0.2)
    began, mean = time.monotonic(), 0.0
    for step in range(steps):
        batch = np.concatenate([pick.choice(members, BATCH // 2) for members in classes])
        films = np.stack([_film(split, natives, index, pick) for index in batch])
        images = jitter(torch.from_numpy(exposure(films, pick)).unsqueeze(1), draw)
        target = torch.from_numpy(split.labels[batch]).float().view(-1, 1)
        loss = _loss(network, images, target, pick)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(network)
        mean = 0.98 * mean + 0.02 * loss.item() if step else loss.item()
        if step % 50 == 49:
            print(f"step {step + 1}/{steps} loss {mean:.4f} {(time.monotonic() - began):.0f} s", flush=True)
    return averaged.module.eval()


def _film(split: Split, natives: dict[int, np.ndarray], index: int, pick: np.random.Generator) -> np.ndarray:
    native = natives.get(int(index))
    return native if native is not None and pick.random() < 0.5 else split.images[index]


def _loss(network: Network, images: torch.Tensor, target: torch.Tensor, pick: np.random.Generator) -> torch.Tensor:
    """Cross-entropy with smoothed, mixed-up targets."""
    share = float(pick.beta(MIXING, MIXING))
    order = torch.from_numpy(pick.permutation(len(images)))
    images = (share * images + (1 - share) * images[order]).contiguous(memory_format=torch.channels_last)
    target = share * target + (1 - share) * target[order]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logit, _, _ = network(images)
    return F.binary_cross_entropy_with_logits(logit.float(), target * (1 - SMOOTHING) + SMOOTHING / 2)


@torch.inference_mode()
def logits(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Logits [n] of u8 images [n, 224, 224], in full precision."""
    parts = [
        network(torch.from_numpy(images[start : start + 64]).float().unsqueeze(1) / 255)[0].view(-1)
        for start in range(0, len(images), 64)
    ]
    return torch.cat(parts).numpy()


def _keep(path: Path, network: Network, split: Split, held_out: np.ndarray) -> None:
    indices = np.flatnonzero(held_out)
    scores = logits(network, split.images[indices])
    with open(path, "w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "patient", "label", "logit"])
        for index, score in zip(indices, scores, strict=True):
            writer.writerow([split.files[index], split.patients[index], split.labels[index], f"{score:.6f}"])
    positive, negative = scores[split.labels[indices] == 1], scores[split.labels[indices] == 0]
    auc = (positive[:, None] > negative[None, :]).mean() + 0.5 * (positive[:, None] == negative[None, :]).mean()
    print(f"{path.name}: AUC {auc:.4f}", flush=True)


if __name__ == "__main__":
    main()
