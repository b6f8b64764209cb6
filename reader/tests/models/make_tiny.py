#!/usr/bin/env python3
"""Writes tiny/: a bundle that keeps the contract of a real one in a few KB, for tests. It knows nothing of medicine: its
logit is 8 · mean grey − 4, its map the mean grey of each of 14 × 14 tiles, its embedding 4 × 4 of them.

Its distribution knows no step of brightness from the topmost left tile of 4 x 4 to the one under it: a step of half the
scale is doubtful, one of two thirds lies outside.

Each run signs with a new key pair and throws the private half away; tiny.pub is the other.

Needs numpy, onnx, onnxruntime, Pillow and OpenSSL. Run: python3 make_tiny.py
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image

HERE = Path(__file__).parent / "tiny"
sys.path.insert(0, str(Path(__file__).parents[3] / "models"))
from signing import digest, make_pair, write_manifest  # noqa: E402  (it lies with the models)


def model() -> onnx.ModelProto:
    const = lambda name, values, dtype: helper.make_tensor(name, dtype, [len(values)], values)
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Mul", ["flat", "eight"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "four"], ["logit"]),
        helper.make_node("AveragePool", ["image"], ["tiles"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Relu", ["tiles"], ["saliency"]),
        helper.make_node("AveragePool", ["image"], ["coarse"], kernel_shape=[56, 56], strides=[56, 56]),
        helper.make_node("Flatten", ["coarse"], ["embedding"]),
    ]
    tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(
        nodes, "tiny",
        [tensor("image", ["N", 1, 224, 224])],
        [tensor("logit", ["N", 1]), tensor("saliency", ["N", 1, 14, 14]), tensor("embedding", ["N", 16])],
        [const("eight", [8.0], TensorProto.FLOAT), const("four", [4.0], TensorProto.FLOAT)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="hilum")
    onnx.checker.check_model(made)
    return made


def main() -> None:
    (HERE / "golden").mkdir(parents=True, exist_ok=True)
    onnx.save(model(), HERE / "model.onnx")
    session = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])
    sha256 = lambda file: digest(HERE / file)
    (HERE / "MODEL_CARD.md").write_text("# Mean grey\n\nFor tests. It knows nothing of medicine.\n")
    # mean, scale, variance of one component, and that component: see reader/src/model/distribution.rs.
    step = 0.5**0.5
    basis = [step, 0.0, 0.0, 0.0, -step] + [0.0] * 11
    numbers = [0.5] * 16 + [1.0] * 16 + [0.01] + basis
    (HERE / "distribution.bin").write_bytes(np.array(numbers, dtype="<f4").tobytes())
    rows, columns = np.mgrid[0:224, 0:224]
    golden = []
    for name, image in [("ramp", rows), ("corner", np.where(rows + columns < 112, 255, 40))]:
        file = f"golden/{name}.png"
        grey = image.astype(np.uint8)
        Image.fromarray(grey, "L").save(HERE / file, optimize=True)
        (logit,) = session.run(["logit"], {"image": grey[None, None].astype(np.float32) / np.float32(255)})
        golden.append({"file": file, "sha256": sha256(file), "logit": round(float(logit[0, 0]), 6), "tolerance": 0.02})
    manifest = {
        "schema": 2, "id": "tiny", "version": "1.0.0", "title": "Mean grey, for tests", "created": "2026-11-21",
        "model": {"file": "model.onnx", "sha256": sha256("model.onnx"), "opset": 17, "precision": "float32"},
        "input": {"name": "image", "height": 224, "width": 224, "fit": "stretch", "resample": "area-u8", "range": "unit"},
        "outputs": {"logit": "logit", "saliency": "saliency", "embedding": "embedding"},
        "labels": {"negative": "dark", "positive": "bright"},
        "calibration": {"kind": "platt", "slope": 1.0, "intercept": 0.0, "fitted_on": "nothing"},
        "operating_points": [
            {"name": "default", "threshold": 0.5, "sensitivity": 1.0, "specificity": 1.0, "measured_on": "nothing"}
        ],
        "sites": {
            "bright-side": {
                "calibration": {"kind": "temperature", "temperature": 2.0, "fitted_on": "nothing"},
                "operating_point": {
                    "name": "bright", "threshold": 0.9, "sensitivity": 1.0, "specificity": 1.0, "measured_on": "nothing",
                },
            }
        },
        "distribution": {
            "file": "distribution.bin", "sha256": sha256("distribution.bin"), "dimensions": 16, "components": 1,
            "residual": 1.0, "caution": 10.0, "abstain": 20.0, "fitted_on": "nothing",
        },
        "reference": None,
        "intended_use": {
            "population": "test images", "age_years": [0, 6], "views": ["PA", "AP"], "body_parts": ["CHEST", "THORAX"],
            "not_for": ["anything but tests"],
        },
        "golden": golden,
        "performance": {"auc": 0.5, "auc_ci95": [0.5, 0.5], "ece": 0.5, "test_images": 0},
        "licence": "Apache-2.0", "model_card": {"file": "MODEL_CARD.md", "sha256": sha256("MODEL_CARD.md")}, "training_data": "none", "starting_weights": "none",
    }
    with tempfile.TemporaryDirectory() as folder:
        private = Path(folder) / "tiny.key"
        make_pair(private, HERE.with_suffix(".pub"))
        write_manifest(HERE, manifest, private)


if __name__ == "__main__":
    main()
