#!/usr/bin/env python3
"""Writes tiny/: a bundle that keeps the contract of a real one in a few KB, for tests. It knows nothing of medicine: its
logit is 8 · mean grey − 4, its map the mean grey of each of 14 × 14 tiles, its embedding 4 × 4 of them.

Needs numpy, onnx, onnxruntime and Pillow. Run: python3 make_tiny.py
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from PIL import Image

HERE = Path(__file__).parent / "tiny"


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
    sha256 = lambda file: hashlib.sha256((HERE / file).read_bytes()).hexdigest()
    rows, columns = np.mgrid[0:224, 0:224]
    golden = []
    for name, image in [("ramp", rows), ("corner", np.where(rows + columns < 112, 255, 40))]:
        file = f"golden/{name}.png"
        grey = image.astype(np.uint8)
        Image.fromarray(grey, "L").save(HERE / file, optimize=True)
        (logit,) = session.run(["logit"], {"image": grey[None, None].astype(np.float32) / np.float32(255)})
        golden.append({"file": file, "sha256": sha256(file), "logit": round(float(logit[0, 0]), 6), "tolerance": 0.02})
    manifest = {
        "schema": 1, "id": "tiny", "version": "1.0.0", "title": "Mean grey, for tests", "created": "2026-11-21",
        "model": {"file": "model.onnx", "sha256": sha256("model.onnx"), "opset": 17},
        "input": {"name": "image", "height": 224, "width": 224, "fit": "stretch", "resample": "area-u8", "range": "unit"},
        "outputs": {"logit": "logit", "saliency": "saliency", "embedding": "embedding"},
        "labels": {"negative": "dark", "positive": "bright"},
        "calibration": {"kind": "platt", "slope": 1.0, "intercept": 0.0, "fitted_on": "nothing"},
        "operating_points": [
            {"name": "default", "threshold": 0.5, "sensitivity": 1.0, "specificity": 1.0, "measured_on": "nothing"}
        ],
        "intended_use": {
            "population": "test images", "age_years": [0, 6], "views": ["PA", "AP"], "body_parts": ["CHEST", "THORAX"],
            "not_for": ["anything but tests"],
        },
        "golden": golden,
        "performance": {"auc": 0.5, "auc_ci95": [0.5, 0.5], "ece": 0.5, "test_images": 0},
        "licence": "Apache-2.0", "training_data": "none", "starting_weights": "none",
    }
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
