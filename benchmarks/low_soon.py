"""How well the shipped evaluator foresees an urgent low, on the scorable recordings, by the field's scorer.

The recordings are replayed through `evaluate.Fold` as if they were live; each beginning of "urgent low soon"
is an alarm. Beside it stands the rival: a plain level, which a predictive alarm must clearly beat.
"""

import csv
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import pandas as pd

from nightbell.evaluate.fold import Fold
from nightbell.follow.bounds import bounds, telling
from nightbell.follow.defaults import default_limits
from nightbell.journal.facts import FollowSet, SharerAdded
from nightbell.journal.group import Group, no_readings
from nightbell.publish.reading import READING_DTYPE
from nightbell.words.conditions import Condition
from nightbell.words.glucose import GLUCOSE_MGDL_MIN, Unit

SHARED: Final = Path(__file__).parents[2] / "shared"
SETS: Final = {
    "azt1d": ("azt1d", None),
    "physiocgm": ("physiocgm", None),
    "brist1d_dex": ("brist1d", ("P02", "P03", "P07", "P11", "P15", "P17", "P23")),
    "t1duom5": ("t1duom", ("UoMGlucose2309", "UoMGlucose2310", "UoMGlucose2320")),
}
URGENT: Final = 55
PLAIN_LEVEL: Final = 64
BATCH: Final = 1000


def scorer() -> ModuleType:
    """The scorer of `../shared/tools`, as a module."""
    spec = importlib.util.spec_from_file_location("score_low", SHARED / "tools" / "score_low.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["score_low"] = module
    spec.loader.exec_module(module)
    return module


def recording(name: str) -> tuple[list[str], "np.ndarray[Any, Any]"]:
    """One set as live readings in the order of time, and the subject behind each sharer number."""
    file, only = SETS[name]
    frame = pd.read_csv(SHARED / "data" / "cgm" / f"{file}.csv.gz", dtype={"subject": str})
    if only:
        frame = frame[frame.subject.isin(only)]
    frame = frame[frame.glucose_mg_dl >= GLUCOSE_MGDL_MIN]
    subjects = sorted(frame.subject.unique())
    measured = pd.to_datetime(frame.time_iso).to_numpy().astype("datetime64[ms]").astype(np.int64)
    readings = np.zeros(len(frame), READING_DTYPE)
    readings["sharer"] = frame.subject.map({subject: row for row, subject in enumerate(subjects)}).to_numpy()
    readings["measured_ms"], readings["received_ms"] = measured, measured + 2_000
    readings["level"] = np.rint(frame.glucose_mg_dl.to_numpy())
    return subjects, readings[np.argsort(readings["measured_ms"], kind="stable")]


def alarms(name: str) -> tuple[list[str], "np.ndarray[Any, Any]"]:
    """Subjects, and the transitions in which urgent low soon began."""
    subjects, readings = recording(name)
    limits = default_limits(Unit.MGDL)
    start_ms = int(readings["measured_ms"][0])
    facts = [SharerAdded(start_ms, row) for row in range(len(subjects))]
    follows = [
        FollowSet(start_ms, row, row, "", True, bounds(limits), telling(limits), "UTC", "")
        for row in range(len(subjects))
    ]
    fold = Fold()
    fold.fold([Group(1, start_ms, (*facts, *follows), no_readings(), 0)])
    parts = []
    for start in range(0, len(readings), BATCH):
        part = readings[start : start + BATCH]
        parts.append(fold.fold([Group(2, int(part["received_ms"][-1]), (), part, 0)]))
    found = np.concatenate(parts)
    return subjects, found[(found["condition"] == Condition.URGENT_LOW_SOON) & found["began"]]


def write_alarms(name: str, path: Path) -> None:
    """Write `subject,time_iso` as the scorer reads it."""
    subjects, begun = alarms(name)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["subject", "time_iso"])
        for row in begun:
            at = np.datetime64(int(row["at_ms"]) - 2_000, "ms").astype("datetime64[s]")
            writer.writerow([subjects[row["sharer"]], str(at)])


def pooled(parts: list[Any]) -> dict[str, float]:
    """Events found and false alarms a day over all sets together."""
    events, hits = sum(part.ev for part in parts), sum(part.hit for part in parts)
    false, days = sum(part.fp for part in parts), float(sum(part.days for part in parts))
    leads = np.concatenate([part.lead for part in parts])
    return {
        "sensitivity": round(float(hits) / events, 4),
        "false_per_day": round(float(false) / days, 4),
        "lead_min_median": round(float(np.median(leads)), 1),
        "events": events,
        "days": round(float(days), 1),
    }


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Score the shipped evaluator and the plain level, pooled over the four sets."""
    score = scorer()
    shipped, plain = [], []
    for name in SETS:
        path = folder / f"alarms-{name}.csv"
        write_alarms(name, path)
        raised = pd.read_csv(path, dtype={"subject": str})
        at_min = pd.to_datetime(raised.time_iso).to_numpy().astype("datetime64[s]").astype(np.int64) / 60.0
        ours, level = score.Acc(), score.Acc()
        for subject, times, glucose in score.load(name):
            ours.add(times, glucose, URGENT, np.sort(at_min[(raised.subject == subject).to_numpy()]))
            fired = score.fire(times, glucose < PLAIN_LEVEL, score.armed(times, glucose, URGENT))
            level.add(times, glucose, URGENT, times[fired])
        shipped.append(ours)
        plain.append(level)
    return {"low_soon": pooled(shipped), "plain_level": pooled(plain)}


if __name__ == "__main__":
    build = Path(__file__).parents[1] / "build"
    build.mkdir(exist_ok=True)
    for row, figures in measure(build).items():
        print(row, figures)
