"""The audit: who did what, why, when, from where, and what came of it."""

from __future__ import annotations

BASE = "/v1/streams/flights"
AUDIT = f"{BASE}/audit"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_every_control_action_stands_there_under_the_keys_name(guarded, wait):
    reason = {"reason": "prices were raised"}
    with guarded.api("operator") as client:
        client.headers["X-Requested-By"] = "anna"
        assert client.post(f"{BASE}/retrains", json=reason).status_code == 202
        (row,) = client.get(AUDIT).json()["actions"]
        assert (row["action"], row["by"], row["via"]) == ("retrain", "anna via operator", "key")
        assert (row["reason"], row["origin"]) == ("prices were raised", "127.0.0.1")
        assert row["result"] == "waiting"
        assert row["at"]

        def carried_out() -> bool:  # a worker looks once a second
            guarded.world.work()
            return client.get(AUDIT).json()["actions"][0]["result"] != "waiting"

        wait(carried_out)
        (row,) = client.get(AUDIT).json()["actions"]
        assert client.get(f"{BASE}/requests/{row['request']}").json()["by"] == "anna via operator"


def test_a_header_alone_cannot_pass_for_somebody(guarded):
    with guarded.api("operator") as client:
        answer = client.post(
            f"{BASE}/retrains", json={"reason": "x"}, headers={"X-Requested-By": "viewer"}
        )
        assert answer.status_code == 202
        assert client.get(AUDIT).json()["actions"][0]["by"] == "viewer via operator"


def test_without_keys_it_is_what_the_header_says(world):
    with world.api() as client:
        for headers in ({}, {"X-Requested-By": "anna"}):
            client.post(f"{BASE}/retrains", json={"reason": "x"}, headers=headers)
        rows = client.get(AUDIT).json()["actions"]
    assert [(row["by"], row["via"]) for row in rows] == [("anna", "open"), ("api", "open")]


def test_what_was_refused_is_not_there(guarded):
    with guarded.api("viewer") as client:
        assert client.post(f"{BASE}/retrains", json={"reason": "x"}).status_code == 403
        assert client.get(AUDIT).status_code == 403
        answer = client.get(AUDIT, headers=bearer(guarded.keys["operator"]))
        assert answer.json() == {"actions": [], "next": None}


def test_pages_have_neither_gaps_nor_repeats(guarded):
    with guarded.api("operator") as client:
        for number in range(7):
            client.post(f"{BASE}/retrains", json={"reason": f"number {number}"})
        found, cursor = [], None
        while True:
            asked = {"limit": 3} | ({} if cursor is None else {"cursor": cursor})
            page = client.get(AUDIT, params=asked).json()
            found += [row["reason"] for row in page["actions"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert found == [f"number {number}" for number in reversed(range(7))]
        assert client.get(AUDIT, params={"cursor": "nonsense"}).status_code == 422


def test_labels_by_people_stand_there_and_those_of_programs_do_not(guarded):
    event = guarded.world.event()
    guarded.world.append(event)
    label = {"id": event["id"], "late": True}
    with guarded.api("predictor") as client:
        assert client.post(f"{BASE}/labels", json=label).status_code == 202
        named = {"X-Requested-By": "anna"}
        assert client.post(f"{BASE}/labels", json=label, headers=named).status_code == 202
        session = client.post("/v1/session", json={"key": guarded.keys["predictor"]})
        assert session.status_code == 200
        del client.headers["authorization"]
        own = {"X-Requested-With": "dashboard"}
        assert client.post(f"{BASE}/labels", json=label, headers=own).status_code == 202
        rows = client.get(AUDIT, headers=bearer(guarded.keys["operator"])).json()["actions"]
    assert [(row["by"], row["via"]) for row in rows] == [
        ("predictor", "session"),
        ("anna via predictor", "key"),
    ]
    assert rows[0]["detail"] == {"labels": 1, "ids": [event["id"]]}
    assert rows[0]["result"] == "done"
    by = [
        record.header("riverrun-labelled-by")
        for record in guarded.world.records(guarded.world.config.labels_topic)
    ]
    assert by == [b"predictor", b"anna via predictor", b"predictor"]
