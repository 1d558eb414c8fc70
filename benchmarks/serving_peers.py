"""What ``benchmarks.serving`` measures the service against: a FastAPI endpoint that does nothing, and MLServer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import uvicorn
from fastapi import FastAPI
from starlette.responses import Response

from benchmarks.scorer import fitted
from service.app import uvicorn_options
from service.schemas import PredictRequest
from service.settings import load_settings

NO_OP_PATH = "/no-op"
MLSERVER_PATH = "/v2/models/plain/infer"


def no_op_app(answer: bytes) -> FastAPI:
    """Return a FastAPI with one endpoint: it takes the body of ``/v1/predict`` and sends the bytes it has."""
    app = FastAPI()

    @app.post(NO_OP_PATH)
    async def no_op(request: PredictRequest) -> Response:  # noqa: ARG001 - it is read and checked
        return Response(answer, media_type="application/json")

    return app


def serve_no_op(port: int, answer: Path) -> None:
    """Serve the no-op by the server, loop and protocol that the service has."""
    options = uvicorn_options(load_settings(port=port))
    uvicorn.run(no_op_app(answer.read_bytes()), **options)


def write_mlserver(folder: Path, ports: Sequence[int], texts: Sequence[str], gold: np.ndarray) -> None:
    """Fit the plain pipeline, and write it with the settings of an MLServer that is as fast as it can be.

    Its worker processes are off: with one model and one process they only add a hop.
    """
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(fitted(texts, gold[:, gold.any(axis=0)]), folder / "model.joblib")
    http, grpc, metrics = ports
    server = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    server |= {"parallel_workers": 0, "debug": False, "use_structured_logging": False}
    model = {
        "name": "plain",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "version": "1"},
    }
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(model))


def mlserver_body(text: str) -> str:
    """Return the request of the V2 protocol that asks for the probabilities of one post."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    return json.dumps(
        {"parameters": {"content_type": "str"}, "inputs": [tensor], "outputs": [{"name": "predict_proba"}]}
    )


def start_mlserver(python: Path, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start MLServer from an environment of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("wb") as stream:
        return subprocess.Popen(
            [str(python.parent / "mlserver"), "start", str(folder)],
            env=environment,
            stdout=stream,
            stderr=stream,
        )


if __name__ == "__main__":
    serve_no_op(int(sys.argv[1]), Path(sys.argv[2]))
