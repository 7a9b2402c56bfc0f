"""The Open Inference Protocol, spoken by NVIDIA's own client for Triton and by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from serve.api.open_inference.shapes import InferAnswer, ModelMetadata

INFER = "/v2/models/flights/infer"


def tensor(name, values, datatype="FP64", shape=None) -> dict:
    return {
        "name": name,
        "shape": [len(values)] if shape is None else shape,
        "datatype": datatype,
        "data": values,
    }


@pytest.fixture
def served(world):
    """A stream, a plain client, and Triton's."""
    with world.api() as client:
        address = f"{client.base_url.host}:{client.base_url.port}"
        public = triton.InferenceServerClient(address)
        yield world, client, public
        public.close()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_a_public_client_gets_what_predict_says(served, binary, shape):
    world, client, public = served
    x, z = np.array([0.5, -2.0, 9.0]), np.array([1, 2, 3], np.int64)
    inputs = []
    for name, values, kind in (("x", x, "FP64"), ("z", z, "INT64")):
        one = triton.InferInput(name, shape, kind)
        one.set_data_from_numpy(values.reshape(shape), binary_data=binary)
        inputs.append(one)
    names = ("prediction", "probabilities", "classes")
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    answer = public.infer("flights", inputs, outputs=outputs, request_id="r-1")
    said = [
        client.post(
            "/v1/streams/flights/predict",
            json={"event": {"x": float(a), "z": int(b)}, "record": False},
        ).json()
        for a, b in zip(x, z, strict=True)
    ]
    assert answer.get_response()["id"] == "r-1"
    assert answer.get_response()["model_version"] == "v1"
    assert answer.as_numpy("prediction").tolist() == [one["prediction"] for one in said]
    assert [
        str(name, "ascii") if isinstance(name, bytes) else name
        for name in answer.as_numpy("classes")
    ] == ["false", "true"]
    probabilities = answer.as_numpy("probabilities")
    assert probabilities.shape == (3, 2)
    assert probabilities[:, 1].tolist() == [one["probabilities"]["true"] for one in said]
    assert len(world.records()) == 20


def test_a_public_client_without_any_option_works(served):
    _, _, public = served
    one = triton.InferInput("x", (1,), "FP32")
    one.set_data_from_numpy(np.array([0.5], np.float32))
    answer = public.infer("flights", [one])
    assert answer.as_numpy("prediction").shape == (1,)
    assert answer.as_numpy("classes").tolist() == [b"false", b"true"]


def test_a_public_client_learns_what_there_is(served):
    _, _, public = served
    assert public.is_server_live()
    assert public.is_server_ready()
    assert public.is_model_ready("flights")
    assert public.is_model_ready("flights", "v1")
    assert not public.is_model_ready("flights", "v9")
    assert not public.is_model_ready("nope")
    assert public.get_server_metadata()["name"] == "riverrun"
    metadata = ModelMetadata.model_validate(public.get_model_metadata("flights"))
    assert (metadata.name, metadata.versions) == ("flights", ["v1"])
    assert [one.name for one in metadata.outputs] == ["prediction", "probabilities", "classes"]
    with pytest.raises(InferenceServerException, match="there is no stream 'nope'"):
        public.get_model_metadata("nope")


def test_a_public_client_is_told_what_is_wrong(served):
    _, _, public = served
    one = triton.InferInput("x", (1,), "BYTES")
    one.set_data_from_numpy(np.array(["far"], object))
    with pytest.raises(InferenceServerException, match=r"row\[0\]: the model raised"):
        public.infer("flights", [one])
    two = triton.InferInput("x", (1,), "FP64")
    two.set_data_from_numpy(np.array([1.0]))
    with pytest.raises(InferenceServerException, match="'v9'"):
        public.infer("flights", [two], model_version="v9")


def test_rows_with_ids_are_recorded_and_learned_like_any_other(served, wait):
    world, client, _ = served
    body = {
        "inputs": [
            tensor("id", ["a", "b"], "BYTES"),
            tensor("at", [1000, 2000], "INT64"),
            tensor("x", [0.5, None]),
        ]
    }
    answer = client.post(INFER, json=body)
    assert answer.status_code == 200, answer.text
    shape = InferAnswer.model_validate(answer.json())
    assert shape.parameters == {"learned_offset": 20, "recorded": True}
    wait(lambda: len(world.records()) == 22)
    assert json.loads(world.records()[-1].value) == {"id": "b", "at": 2000}
    asked = client.post(INFER, json=body | {"parameters": {"record": False}})
    assert asked.json()["parameters"]["recorded"] is False
    assert world.work()["counts"]["served"] == 2


def test_only_the_outputs_that_are_asked_for_are_given(served):
    _, client, _ = served
    body = {"inputs": [tensor("x", [1.0])], "outputs": [{"name": "prediction"}]}
    assert [one["name"] for one in client.post(INFER, json=body).json()["outputs"]] == [
        "prediction"
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "inputs"),
        ({"inputs": 1}, "inputs"),
        ({"inputs": [{"name": "x"}]}, "inputs[0]"),
        ({"inputs": [tensor("x", [1.0], shape=[2])]}, "1 values where its shape says 2"),
        ({"inputs": [tensor("x", [1.0], shape=[1, 2])]}, "[rows, 1]"),
        ({"inputs": [tensor("x", [1.0], shape=[-1])]}, "[rows, 1]"),
        ({"inputs": [tensor("x", [1.0], shape=[])]}, "inputs.x"),
        ({"inputs": [tensor("x", ["a"])]}, "no FP64"),
        ({"inputs": [tensor("x", [True])]}, "no FP64"),
        ({"inputs": [tensor("x", [300], "UINT8")]}, "no UINT8"),
        ({"inputs": [tensor("x", [1.5], "INT64")]}, "no INT64"),
        ({"inputs": [tensor("x", [1], "BYTES")]}, "no BYTES"),
        ({"inputs": [tensor("x", [1], "COMPLEX")]}, "datatype"),
        ({"inputs": [tensor("x", [1.0]), tensor("x", [1.0])]}, "twice"),
        ({"inputs": [tensor("x", [1.0]), tensor("z", [1.0, 2.0])]}, "2 rows where another"),
        ({"inputs": [tensor("x", [[[1.0]]])]}, "no FP64"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64"}]}, "neither data"),
        ({"inputs": [tensor("x", [1.0])], "outputs": [{"name": "y"}]}, "no output 'y'"),
        ({"inputs": [tensor("x", [1.0])], "parameters": {"record": 1}}, "parameters.record"),
        ({"inputs": [tensor("x", [1.0])], "parameters": {"min_offset": -1}}, "min_offset"),
        ({"inputs": [tensor("x", [1.0] * 1_001)]}, "api.max_batch"),
    ],
)
def test_what_is_wrong_is_an_error_of_the_protocol_that_names_it(served, body, words):
    _, client, _ = served
    answer = client.post(INFER, json=body)
    assert 400 <= answer.status_code < 500
    assert list(answer.json()) == ["error"]
    assert words in answer.json()["error"]
    assert client.post(INFER, json={"inputs": [tensor("x", [1.0])]}).status_code == 200


@pytest.mark.parametrize("length", ["-1", "x", "999999", "1e3", ""])
def test_a_wrong_header_length_is_an_error(served, length):
    _, client, _ = served
    body = json.dumps({"inputs": [tensor("x", [1.0])]})
    headers = {"inference-header-content-length": length}
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 400
    assert "inference-header-content-length" in answer.json()["error"]


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("FP64", b"123"),
        ("FP64", b"1234567890123456"),
        ("FP64", np.array([np.nan]).tobytes()),
        ("BYTES", b"\x05\0\0\0ab"),
        ("BYTES", b"\x01\0\0\0\xff"),
        ("BYTES", b""),
        ("BYTES", b"\x01\0\0\0a\x01\0\0\0b"),
    ],
)
def test_bytes_that_are_no_tensor_are_an_error(served, datatype, data):
    _, client, _ = served
    sized = {
        "name": "x",
        "shape": [1],
        "datatype": datatype,
        "parameters": {"binary_data_size": len(data)},
    }
    head = json.dumps({"inputs": [sized]}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    for more in (b"", b"z"):
        answer = client.post(INFER, content=head + data + more, headers=headers)
        assert answer.status_code == 400
        assert "inputs" in answer.json()["error"]


@pytest.mark.parametrize(
    ("task", "pipeline", "label", "kind"),
    [
        ("multiclass", "naive_bayes.GaussianNB()", "red", "BYTES"),
        ("regression", "linear_model.LinearRegression()", 3.5, "FP64"),
        ("anomaly", "anomaly.HalfSpaceTrees(n_trees=3)", True, "FP64"),
    ],
)
def test_every_task_has_its_outputs(make_world, task, pipeline, label, kind):
    world = make_world(model={"task": task, "pipeline": pipeline})
    world.append(*(world.event(late=label) for _ in range(5)))
    world.work()
    with world.api() as client:
        answer = client.post(INFER, json={"inputs": [tensor("x", [1.0, 2.0])]})
        metadata = client.get("/v2/models/flights").json()
    outputs = {one["name"]: one for one in answer.json()["outputs"]}
    assert outputs["prediction"]["datatype"] == kind
    assert list(outputs) == [one["name"] for one in metadata["outputs"]]
    if task == "multiclass":
        assert outputs["classes"]["data"] == ["red"]
        assert outputs["probabilities"]["shape"] == [2, 1]


def test_the_inputs_are_those_of_the_schema_once_there_is_one(make_world):
    world = make_world(
        monitor={"warmup_events": 100, "pane_events": 50}, event={"types": {"x": "float"}}
    )
    world.learn(20)
    with world.api() as client:
        before = client.get("/v2/models/flights").json()["inputs"]
        world.learn(150)
        while len(after := client.get("/v2/models/flights").json()["inputs"]) == len(before):
            pass
    assert [one["name"] for one in before] == ["id", "at", "x"]
    assert {one["name"]: one["datatype"] for one in after} == {
        "id": "BYTES", "at": "BYTES", "x": "FP64", "z": "FP64",
    }  # fmt: skip


def test_without_a_model_it_is_alive_and_its_model_is_not_ready(make_world):
    with make_world().api() as client:
        assert client.get("/v2/health/live").json() == {"live": True}
        ready = client.get("/v2/models/flights/ready")
        infer = client.post(INFER, json={"inputs": []})
        unknown = client.get("/v2/nothing")
    assert ready.status_code == infer.status_code == 503
    assert "no model yet" in ready.json()["error"]
    assert (unknown.status_code, list(unknown.json())) == (404, ["error"])


def test_whole_numbers_of_a_float_tensor_are_floats(make_world):
    """A pipeline may select by type, and JSON does not tell 1.0 from 1."""
    world = make_world(model={"pipeline": "compose.SelectType(float) | naive_bayes.GaussianNB()"})
    world.learn(60)
    event = {"x": 2.0, "z": 1.0}
    with world.api() as client:
        path = "/v1/streams/flights/predict"
        said = client.post(path, json={"event": event, "record": False}).json()
        inputs = [tensor(name, [int(value)]) for name, value in event.items()]
        answer = client.post(INFER, json={"inputs": inputs}).json()
    shares = next(one["data"] for one in answer["outputs"] if one["name"] == "probabilities")
    assert shares == [said["probabilities"]["false"], said["probabilities"]["true"]]
