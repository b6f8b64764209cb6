"""The manifest of a bundle made from TorchXRayVision's DenseNet. Pure: it needs no torch and reads no weights.

What the exporter cannot know, a site has to measure on its own films before it uses the bundle: calibration, operating
point, and where its training images lie. Until then these say that nobody has measured them.
"""

SIDE = 224
OPSET = 17
UNMEASURED = "nobody: measure it on your own films first"


def manifest(version: str, created: str, weights: str, files: dict[str, str], golden: list[dict]) -> dict:
    """The whole manifest; `files` gives the SHA-256 of model.onnx and MODEL_CARD.md, `golden` the proven cases."""
    if not golden:
        raise ValueError("a bundle needs at least one golden radiograph")
    return {
        "schema": 2,
        "id": "torchxrayvision-pneumonia",
        "version": version,
        "title": f"Pneumonia output of TorchXRayVision's {weights}",
        "created": created,
        "model": {"file": "model.onnx", "sha256": files["model.onnx"], "opset": OPSET, "precision": "float32"},
        "input": {
            "name": "image", "height": SIDE, "width": SIDE, "fit": "stretch", "resample": "area-u8", "range": "unit",
        },
        "outputs": {"logit": "logit", "saliency": "saliency", "embedding": "embedding"},
        "labels": {"negative": "no pneumonia seen", "positive": "pneumonia"},
        "calibration": {"kind": "platt", "slope": 1.0, "intercept": 0.0, "fitted_on": UNMEASURED},
        "operating_points": [
            {"name": "default", "threshold": 0.5, "sensitivity": 0.0, "specificity": 0.0, "measured_on": UNMEASURED}
        ],
        "sites": {},
        "distribution": None,
        "reference": None,
        "intended_use": {
            "population": "adults, as in the data sets that the weights were trained on",
            "age_years": [18, 120],
            "views": ["PA", "AP"],
            "body_parts": ["CHEST", "THORAX"],
            "not_for": [
                "diagnosis or treatment decisions: not a cleared medical device",
                "any site that has not measured it on its own films",
                "children, lateral films, and body parts other than the chest",
            ],
        },
        "golden": golden,
        "performance": {"auc": 0.5, "auc_ci95": [0.0, 1.0], "ece": 1.0, "test_images": 0},
        "licence": "Apache-2.0",
        "model_card": {"file": "MODEL_CARD.md", "sha256": files["MODEL_CARD.md"]},
        "training_data": "as TorchXRayVision states for these weights (Cohen et al. 2022, arXiv:2111.00595)",
        "starting_weights": f"TorchXRayVision {weights}",
    }


def golden_case(file: str, sha256: str, logit: float) -> dict:
    return {"file": file, "sha256": sha256, "logit": round(logit, 5), "tolerance": 0.02}
