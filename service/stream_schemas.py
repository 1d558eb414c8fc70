"""The lines of ``POST /v1/predict/stream``."""

from __future__ import annotations

from pydantic import BaseModel, Field

from service.problems import Problem
from service.schemas import PredictResponse

STREAM_POSTS = '{"text": "A multipolar world is taking shape.", "id": "a"}\n{"text": 5}\n'
STREAM_LINES = (
    '{"line":1,"prediction":{"id":"a","lang":"en","model_version":"3f9c2a7d51be","codebook_version":"1","tags":[]}}\n'
    '{"line":2,"problem":{"type":"/docs#problem-invalid-request","title":"The request is not valid","status":422,'
    '"detail":"1 value is not valid.","request_id":"0f8fad5bd9cb469fa16570867728950e","errors":[{"location":"body",'
    '"pointer":"/text","detail":"Input should be a valid string","code":"string_type"}]}}\n'
    '{"end":{"lines":2,"predicted":1,"failed":1,"model_version":"3f9c2a7d51be","codebook_version":"1"}}\n'
)


class PredictionLine(BaseModel):
    """The prediction for the post on a line."""

    line: int = Field(ge=1, description="The number of its line in the request.")
    prediction: PredictResponse


class ProblemLine(BaseModel):
    """Why the post on a line is refused; the stream goes on."""

    line: int = Field(ge=1, description="The number of its line in the request.")
    problem: Problem


class StreamEnd(BaseModel):
    """What was answered."""

    lines: int = Field(description="How many lines were not blank.")
    predicted: int
    failed: int
    model_version: str
    codebook_version: str


class EndLine(BaseModel):
    """The last line: nothing is missing."""

    end: StreamEnd


StreamLine = PredictionLine | ProblemLine | EndLine
