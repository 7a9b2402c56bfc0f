"""Writes the four dashboards: ``python -m deploy.grafana.make``; a test compares the files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.grafana.panels import (
    STATES,
    bars,
    dashboard,
    rows,
    series,
    stat,
    state_mappings,
    timeline,
    yes_no,
)

FOLDER = Path(__file__).parent / "dashboards"

_S = 'stream=~"$stream"'
_RATE = "[$__rate_interval]"
_STREAM = ("stream", "stream", "label_values(riverrun_events_read_total, stream)", False)
_OK_BAD = ((None, "green"), (1, "red"))
_RATIO = ((None, "green"), (0.7, "yellow"), (1, "red"))
_STATE = " + ".join(
    f'{value} * max(riverrun_monitor_state{{{_S}, state="{name}"}})'
    for value, (name, _) in STATES.items()
)


def _rate(metric: str, more: str = "") -> str:
    return f"max by (stream) (rate({metric}{{{_S}{more}}}{_RATE}))"


def overview() -> dict[str, Any]:
    """Is it healthy, in five seconds."""
    panels = [
        stat("State", "What the monitor's state machine says now; HALTED pauses learning.", "none", (_STATE, "state"), mappings=state_mappings()),
        stat("Alerts firing", "Of this page's rules; see docs/runbook.md.", "none", ('count(ALERTS{alertstate="firing", alertname=~"Riverrun.*"}) or vector(0)', "alerts"), steps=_OK_BAD),
        stat("Lag", "Records between the newest checkpoint and the log's end.", "short", (f"riverrun:lag_records:sum{{{_S}}}", "records"), steps=((None, "green"), (10_000, "yellow"), (100_000, "red"))),
        stat("Checkpoint's age", "A worker that stands still has an old one; so has a quiet stream.", "s", (f"riverrun:checkpoint_age_seconds:min{{{_S}}}", "age"), steps=((None, "green"), (60, "yellow"), (120, "red"))),
        stat("Columns in alarm", "Features, predictions and labels past their threshold in the last pane.", "none", (f"riverrun:features_in_alarm:count{{{_S}}}", "columns"), steps=((None, "green"), (1, "orange"))),
        stat("Loss against the best baseline", "Below 100 % the model is ahead, on the labels since the warm-up.", "percentunit", (f"riverrun:loss_over_baseline:ratio{{{_S}}}", "loss"), steps=((None, "green"), (0.98, "yellow"), (1, "red"))),
        series("Events", "What the worker reads, predicts, learns from and puts aside, per second.", "ops",
               (_rate("riverrun_events_read_total"), "read (events and labels)"), (_rate("riverrun_predicted_total"), "predicted"),
               (_rate("riverrun_learned_total"), "learned"), (_rate("riverrun_dead_lettered_total"), "dead letters"), min=0),
        series("Rolling score", "The model over the last labels, beside the baselines it must beat.", "short",
               (f'max by (of) (riverrun_score{{{_S}, metric="$metric", window="rolling"}})', "{{of}}")),
        timeline("State over time", "The monitor's state machine.", "none", (_STATE, "state"), mappings=state_mappings(), h=5),
        timeline("Run under way", "Phases of retraining; the bands of a run that is decided end.", "none",
                 (f"max by (phase) (riverrun_run_phase{{{_S}}})", "{{phase}}"), mappings=yes_no("under way", " ", good=False), h=5),
        series("Lag by topic", "Records between the newest checkpoint and each topic's end.", "short", (f"max by (topic) (riverrun_lag_records{{{_S}}})", "{{topic}}"), min=0),
        series("Lag by shard", "Records that wait in the partitions of each shard; a stream that is not divided is one, all.", "short", (f"max by (shard) (riverrun_shard_lag_records{{{_S}}})", "{{shard}}"), min=0),
        series("Learned by shard", "Events that each shard's model learns from, per second.", "ops", (f"max by (shard) (rate(riverrun_shard_learned_total{{{_S}}}{_RATE}))", "{{shard}}"), min=0),
        series("Labels", "What becomes of labels, and predictions given up, per second.", "ops", (f"max by (kind) (rate(riverrun_labels_total{{{_S}}}{_RATE}))", "{{kind}}"), min=0),
        series("Served predictions", "Answers of all APIs with a prediction, per second.", "reqps", (f"sum by (stream) (rate(riverrun_served_predictions_total{{{_S}}}{_RATE}))", "predictions"), min=0),
        series("Waiting for a label", "Predictions without one so far; bounded by labels.max_pending.", "short", (f"max by (stream) (riverrun_pending{{{_S}}})", "pending"), min=0),
    ]  # fmt: skip
    variables = [
        _STREAM,
        ("metric", "score", f"label_values(riverrun_score{{{_S}}}, metric)", False),
    ]
    text = "Is the stream healthy: state, lag, scores, labels."
    return dashboard("riverrun-overview", "riverrun / Overview", text, panels, variables)


def drift() -> dict[str, Any]:
    """Which rows are red, and since when."""
    ratio = f'riverrun_monitor_skew_ratio{{{_S}, role="feature", feature=~"$feature"}}'
    panels = [
        rows("Features over time", "Distance over threshold in the last pane: from 1 on it is an alarm. Cells without a colour had too few values.", "none", (f"max by (feature) ({ratio})", "{{feature}}"), steps=_RATIO, w=24, h=12),
        series("Furthest from the reference", "The ten features with the largest distance over threshold.", "none", (f"topk(10, max by (feature) ({ratio}))", "{{feature}}"), steps=((None, "green"), (1, "red")), min=0),
        bars("Alarms by feature", "Panes in alarm within the time shown.", "none", (f'topk(15, sum by (feature) (increase(riverrun_monitor_skew_alarms_total{{{_S}, role="feature"}}[$__range])))', "{{feature}}"), min=0),
        series("Signals", "What the state machine read last. 1 is the threshold; of error_fraction it is monitor.halt_share.", "none", (f"max by (signal) (riverrun_monitor_signal{{{_S}}})", "{{signal}}"), steps=((None, "green"), (1, "red")), min=0),
        series("Evidence that the loss has changed", "Over what is needed; 1 is a detection.", "percentunit", (f"max by (stream) (riverrun_monitor_concept_ratio{{{_S}}})", "evidence"), steps=((None, "green"), (1, "red")), min=0, max=1),
        series("Predictions and labels", "Distance over threshold of what the model says, and of what comes true.", "none", (f'max by (role) (riverrun_monitor_skew_ratio{{{_S}, role!="feature"}})', "{{role}}"), steps=((None, "green"), (1, "red")), min=0),
        bars("Changes of the loss", "Within the time shown, by the test that found them.", "none", (f"max by (by) (increase(riverrun_monitor_concept_drifts_total{{{_S}}}[$__range]))", "{{by}}"), min=0),
        series("Anomalies of the schema", "By kind, per second.", "ops", (f"sum by (kind) (max by (kind, feature) (rate(riverrun_monitor_anomalies_total{{{_S}}}{_RATE})))", "{{kind}}"), min=0),
        bars("Anomalies by feature", "Within the time shown.", "none", (f'topk(15, sum by (feature) (increase(riverrun_monitor_anomalies_total{{{_S}, feature=~"$feature"}}[$__range])))', "{{feature}}"), min=0),
        series("Events in error", "Share of checked events that break the schema; they are dead letters.", "percentunit",
               (f"max by (stream) (rate(riverrun_monitor_event_errors_total{{{_S}}}{_RATE})) / (max by (stream) (rate(riverrun_monitor_events_total{{{_S}}}{_RATE})) > 0)", "in error"), min=0),
        series("Wanted actions", "What the state machine asked for, counted.", "none", (f"max by (action) (riverrun_monitor_actions_total{{{_S}}})", "{{action}}"), min=0),
        stat("Warm-up", "Below 100 % there is no reference, and nothing is compared.", "percentunit", (f"max(riverrun_monitor_warm_up_ratio{{{_S}}})", "warm-up"), steps=((None, "yellow"), (1, "green"))),
        stat("Closed panes", "Each was tested against the reference.", "none", (f"max(riverrun_monitor_panes_total{{{_S}}})", "panes")),
        stat("Events in the open pane", "It is tested when it closes.", "short", (f"max(riverrun_monitor_open_pane_events{{{_S}}})", "events")),
        stat("Last pane ends at", "Event time.", "dateTimeAsIso", (f"1000 * max(riverrun_monitor_pane_timestamp_seconds{{{_S}}})", "end"), w=6),
        stat("Counts under 'other'", "Of names beyond the 200 features that are labels, and unknown ones.", "short", (f"max(riverrun_monitor_labels_cut_total{{{_S}}})", "counts"), w=6),
    ]  # fmt: skip
    feature = f'label_values(riverrun_monitor_skew_ratio{{{_S}, role="feature"}}, feature)'
    variables = [_STREAM, ("feature", "feature", feature, True)]
    text = "Which features differ from the reference, since when, and what the loss says."
    return dashboard("riverrun-drift", "riverrun / Drift", text, panels, variables)


def model() -> dict[str, Any]:
    """Better or worse, and what becomes of challengers."""
    panels = [
        stat("Serves without interruption for", "Since the API last took over another checkpoint's model it answers with this one's knowledge.", "s", (f"min(riverrun_model_staleness_seconds{{{_S}}})", "staleness")),
        stat("Learned offset", "How far the serving model has read the log.", "short", (f"max(riverrun_model_learned_offset{{{_S}}})", "offset")),
        stat("Promotions", "Challengers that took over, in all.", "none", (f"max(riverrun_promotions_total{{{_S}}})", "promotions")),
        stat("Roll-backs", "Promoted models that were sent back in their probation, in all.", "none", (f"max(riverrun_rollbacks_total{{{_S}}})", "roll-backs"), steps=((None, "green"), (1, "yellow"))),
        stat("Label coverage", "Share of predictions since the warm-up that have a label.", "percentunit", (f"max(riverrun_monitor_label_coverage_ratio{{{_S}}})", "coverage")),
        stat("Newest model serves", "Whether every API could load the newest checkpoint's model.", "none", (f"min(riverrun_model_current{{{_S}}})", "current"), mappings=yes_no("yes", "no", good=True)),
        series("Rolling score", "Over the last labels (model.window), beside the baselines.", "short", (f'max by (of) (riverrun_score{{{_S}, metric="$metric", window="rolling"}})', "{{of}}")),
        series("Score of all labels", "Since the stream began: progressive, each label scored before it is learned.", "short", (f'max by (of) (riverrun_score{{{_S}, metric="$metric", window="all"}})', "{{of}}")),
        series("Mean loss", "Since the warm-up, on the same labels; 0 is perfect.", "short", (f"max by (of) (riverrun_monitor_mean_loss{{{_S}}})", "{{of}}"), min=0),
        series("Expected and realised", "What the model's confidence promises over the last 16 panes, and what came: outside of the band it is not calibrated as it was.", "short",
               (f"max by (metric, bound) (riverrun_monitor_expected{{{_S}}})", "{{metric}} expected, {{bound}}"), (f"max by (metric) (riverrun_monitor_realised{{{_S}}})", "{{metric}} realised")),
        timeline("Run under way", "Phases of retraining.", "none", (f"max by (phase) (riverrun_run_phase{{{_S}}})", "{{phase}}"), mappings=yes_no("under way", " ", good=False), h=6),
        bars("What became of runs", "Within the time shown.", "none", (f"max by (state) (increase(riverrun_run_changes_total{{{_S}}}[$__range]))", "{{state}}"), min=0, h=6),
        series("Loss in the shadow", "Of each model in the shadow, and of the one that serves, on the same events.", "short", (f"max by (shadow, of) (riverrun_shadow_loss{{{_S}}})", "{{shadow}}: {{of}}"), min=0),
        series("Evidence at the gate", "Log of the stake on each claim. At log(1 / retrain.level), 4.6 for the default of 0.01, it decides.", "none", (f"max by (shadow, claim) (riverrun_gate_log_evidence{{{_S}}})", "{{shadow}}: {{claim}}"), steps=((None, "green"), (4.605, "blue"))),
        series("Labels at the gate", "Weighed so far of each model in the shadow.", "short", (f"max by (shadow) (riverrun_gate_labels{{{_S}}})", "{{shadow}}"), min=0),
        series("Models taken over by the API", "Checkpoints whose model was put in place, per minute.", "cpm", (f"60 * sum by (stream) (rate(riverrun_model_swaps_total{{{_S}}}{_RATE}))", "swaps"), min=0),
        series("Not learned", "Labelled events while learning paused, per second.", "ops", (_rate("riverrun_unlearned_total"), "not learned"), min=0),
        series("Learned", "Labelled events learned from, per second.", "ops", (_rate("riverrun_learned_total"), "learned"), min=0),
    ]  # fmt: skip
    variables = [
        _STREAM,
        ("metric", "score", f"label_values(riverrun_score{{{_S}}}, metric)", False),
    ]
    text = (
        "Scores and losses beside the baselines; challengers, their gate, and what became of them."
    )
    return dashboard("riverrun-model", "riverrun / Model", text, panels, variables)


def service() -> dict[str, Any]:
    """Is any part red, and where does the time go."""
    api = 'job="riverrun", instance=~"$instance"'
    http = 'job="riverrun", instance=~"$instance", route=~"$route"'
    latency = f"sum by (le) (rate(riverrun_http_request_seconds_bucket{{{http}}}{_RATE}))"
    panels = [
        stat("APIs up", "Those that Prometheus can scrape.", "none", ('sum(up{job="riverrun"})', "up"), steps=((None, "red"), (1, "green"))),
        stat("Store", "Whether the last try of every API reached it.", "none", (f"min(riverrun_store_up{{{_S}}})", "store"), mappings=yes_no("up", "down", good=True)),
        stat("Event log", "Whether it accepts what every API appends.", "none", (f"min(riverrun_log_up{{{_S}}})", "log"), mappings=yes_no("up", "down", good=True)),
        stat("Errors of the API", "Share of answers from 500 on, over five minutes.", "percentunit", ('max(riverrun:http_errors:ratio_rate5m{job="riverrun"})', "errors"), steps=((None, "green"), (0.001, "yellow"), (0.01, "red"))),
        stat("Worker's memory", "Resident.", "bytes", (f"max(riverrun_worker_memory_bytes{{{_S}}})", "memory")),
        stat("Worker runs since", "When its process began.", "dateTimeFromNow", (f"1000 * max(riverrun_worker_start_time_seconds{{{_S}}})", "start")),
        series("Requests", "By route, per second.", "reqps", (f"sum by (route) (rate(riverrun_http_requests_total{{{http}}}{_RATE}))", "{{route}}"), min=0),
        series("Requests by status", "Per second; 499 is a client that went away.", "reqps", (f"sum by (status) (rate(riverrun_http_requests_total{{{http}}}{_RATE}))", "{{status}}"), min=0, stack=True),
        series("Latency", "From the head of a request to the end of its answer.", "s", *((f"histogram_quantile({share}, {latency})", name) for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))), min=0),
        series("Latency by route (p99)", "The slowest hundredth.", "s", (f"histogram_quantile(0.99, sum by (le, route) (rate(riverrun_http_request_seconds_bucket{{{http}}}{_RATE})))", "{{route}}"), min=0),
        series("Where the worker's time goes", "Share of the time by stage: poll is waiting, handle decodes, predicts, learns and watches.", "percentunit", (f"max by (stage) (rate(riverrun_worker_stage_seconds_total{{{_S}}}{_RATE}))", "{{stage}}"), min=0, stack=True),
        series("Checkpoint's cost", "What the one before took, and the mean.", "s", (f"max by (stream) (riverrun_worker_checkpoint_seconds{{{_S}}})", "last"),
               (f'max by (stream) (rate(riverrun_worker_stage_seconds_total{{{_S}, stage="checkpoint"}}{_RATE})) / (max by (stream) (rate(riverrun_worker_checkpoints_total{{{_S}}}{_RATE})) > 0)', "mean"), min=0),
        series("Queue to the log", "Served events that wait to be appended; at the capacity the next are shed.", "short", (f'sum by (instance) (riverrun_inference_log_queued{{{_S}, instance=~"$instance"}})', "{{instance}}"), (f"max(riverrun_inference_log_capacity{{{_S}}})", "capacity"), min=0),
        series("Recorded, shed, lost", "Served events by what became of their record, per second.", "ops", *((f"sum by (stream) (rate(riverrun_inference_log_{what}_total{{{_S}}}{_RATE}))", what) for what in ("appended", "shed", "lost")), min=0),
        series("Dead letters by reason", "Stage and kind, per second.", "ops", (f"max by (reason) (rate(riverrun_dead_letters_by_reason_total{{{_S}}}{_RATE}))", "{{reason}}"), min=0),
        series("Alerts and the mirror", "What the worker tells receivers: sent, failed tries, dropped, waiting.", "none", (f"max by (receiver, outcome) (riverrun_deliveries_total{{{_S}}})", "{{receiver}} {{outcome}}"), (f"max by (receiver) (riverrun_deliveries_waiting{{{_S}}})", "{{receiver}} waiting"), min=0),
        series("Refused requests", "For who made them, by reason, per second; see docs/security.md.", "reqps", (f"sum by (reason) (rate(riverrun_refused_total{{{api}}}{_RATE}))", "{{reason}}"), min=0),
        series("Refused and flagged events", "Asked events that the schema calls an error, and predictions whose answer has flags, per second.", "ops", (f"sum by (stream) (rate(riverrun_refused_events_total{{{_S}}}{_RATE}))", "refused"), (f"sum by (stream) (rate(riverrun_flagged_predictions_total{{{_S}}}{_RATE}))", "flagged"), min=0),
        series("Memory", "Resident, of APIs and worker.", "bytes", (f"process_resident_memory_bytes{{{api}}}", "API {{instance}}"), (f"max by (stream) (riverrun_worker_memory_bytes{{{_S}}})", "worker"), min=0),
        series("Processor of the APIs", "Share of one core.", "percentunit", (f"rate(process_cpu_seconds_total{{{api}}}{_RATE})", "{{instance}}"), min=0),
    ]  # fmt: skip
    variables = [
        _STREAM,
        ("instance", "API", 'label_values(up{job="riverrun"}, instance)', True),
        (
            "route",
            "route",
            'label_values(riverrun_http_requests_total{job="riverrun"}, route)',
            True,
        ),
    ]
    text = "Requests, latency, the worker's time, queues, memory, deliveries."
    return dashboard("riverrun-service", "riverrun / Service", text, panels, variables)


def files() -> dict[str, str]:
    """Return each dashboard as text, by its file's name."""
    made = {"overview": overview(), "drift": drift(), "model": model(), "service": service()}
    return {f"{name}.json": json.dumps(board, indent=1) + "\n" for name, board in made.items()}


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
