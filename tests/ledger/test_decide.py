"""What the ledger answers, on both databases."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from seatlock.errors import InvalidRequest, PlanConflict
from seatlock.ledger import Conflicts, Ledger, PoolStock, hash_of
from tests.ledger.databases import claim, contradictions, query


@pytest.fixture(autouse=True)
def _in_one_go(untroubled: Ledger) -> None:
    """Right answers are to be got without failing first."""


def statuses(answers: list[object]) -> list[str]:
    return [getattr(answer, "status", repr(answer)) for answer in answers]


def test_a_claim_is_confirmed_and_on_record(ledger: Ledger, show: str) -> None:
    decision = ledger.decide(claim(show, "b-1", ["A-2", "A-1"], fence=(1 << 40) + 3))
    assert (decision.status, decision.epoch, decision.booking) == ("confirmed", 1, "b-1")
    record = ledger.outcome(show, "b-1")
    assert record == decision.record
    assert record is not None
    assert (record.holder, record.token_hash, record.payment) == ("ann", hash_of("b-1"), "p1")
    assert (record.seats, record.fence, record.epoch) == (("A-2", "A-1"), (1 << 40) + 3, 1)
    assert 1_700_000_000 < record.decided_at < 10_000_000_000
    assert [(sold.seat, sold.booking, sold.holder) for sold in ledger.sold(show)] == [
        ("A-1", "b-1", "ann"),
        ("A-2", "b-1", "ann"),
    ]
    assert contradictions(ledger) == []


def test_asking_again_gives_the_same_and_changes_nothing(ledger: Ledger, show: str) -> None:
    first = ledger.decide(claim(show, "b-1", ["A-1"]))
    assert ledger.decide(claim(show, "b-1", ["A-1"], fence=9)) == first
    assert len(ledger.history(show, "A-1")) == 1


def test_another_content_is_a_mismatch_and_tells_what_is_on_record(ledger: Ledger, show: str) -> None:
    ledger.decide(claim(show, "b-1", ["A-1"]))
    for other in (
        claim(show, "b-1", ["A-1"], payment="p2"),
        claim(show, "b-1", ["A-1", "A-2"]),
        claim(show, "b-1", ["A-1"], holder="bob"),
        claim(show, "b-1", ["A-1"], pools={"floor": 1}),
    ):
        decision = ledger.decide(other)
        assert decision.status == "mismatch"
        assert decision.record is not None
        assert (decision.record.payment, decision.record.seats) == ("p1", ("A-1",))
    assert contradictions(ledger) == []


def test_who_comes_too_late_is_rejected_for_good_and_told_what_stood_in_the_way(ledger: Ledger, show: str) -> None:
    ledger.decide(claim(show, "b-1", ["A-1"]))
    late = ledger.decide(claim(show, "b-2", ["A-2", "A-1"], holder="bob"))
    assert late.status == "rejected"
    assert late.record is not None
    assert (late.record.reason, late.record.conflicts) == ("unavailable", Conflicts({"A-1": "b-1"}))
    ledger.cancel(show, "b-1", by="eve")
    assert ledger.decide(claim(show, "b-2", ["A-2", "A-1"], holder="bob")) == late, "a no is as durable as a yes"
    assert ledger.sold(show) == []


def test_a_batch_is_decided_as_one_after_the_other(ledger: Ledger, show: str) -> None:
    """Somebody who loses takes nothing away from those who come later, and seats move to them."""
    ledger.decide(claim(show, "b-0", ["A-1"]))
    answers = ledger.decide_many(
        [
            claim(show, "b-1", ["A-1", "A-2"]),  # A-1 is sold
            claim(show, "b-2", ["A-2", "A-3"]),  # gets what b-1 does not
            claim(show, "b-3", ["A-3", "A-4"]),  # b-2 has A-3
            claim(show, "b-4", ["A-4"]),
            claim(show, "b-4", ["A-4"]),
            claim(show, "b-4", ["A-5"]),
        ]
    )
    assert statuses(answers) == ["rejected", "confirmed", "rejected", "confirmed", "confirmed", "mismatch"]
    assert {sold.seat: sold.booking for sold in ledger.sold(show)} == {
        "A-1": "b-0",
        "A-2": "b-2",
        "A-3": "b-2",
        "A-4": "b-4",
    }
    assert contradictions(ledger) == []


def test_seats_that_nobody_gets_in_the_end_are_free(ledger: Ledger, show: str) -> None:
    ledger.decide(claim(show, "b-0", ["A-1"]))
    assert statuses(ledger.decide_many([claim(show, "b-1", ["A-1", "A-2"])])) == ["rejected"]
    assert ledger.decide(claim(show, "b-2", ["A-2"])).status == "confirmed"


def test_pools_are_sold_to_the_last_one(ledger: Ledger, show: str) -> None:
    ledger.set_pools(show, {"floor": 5, "stand": 1})
    answers = ledger.decide_many(
        [
            claim(show, "b-1", pools={"floor": 3}),
            claim(show, "b-2", ["A-1"], pools={"floor": 3, "stand": 1}),
            claim(show, "b-3", ["A-1"], pools={"floor": 2}),
            claim(show, "b-4", pools={"stand": 1, "unknown": 1}),
        ]
    )
    assert statuses(answers) == ["confirmed", "rejected", "confirmed", "rejected"]
    assert [answer.record.conflicts for answer in (answers[1], answers[3])] == [
        Conflicts({}, {"floor": 2}),
        Conflicts({}, {"unknown": 0}),
    ]
    assert ledger.pools(show) == {"floor": PoolStock(5, 5), "stand": PoolStock(1, 0)}
    assert contradictions(ledger) == []


def test_a_pool_is_not_made_smaller_than_what_is_sold(ledger: Ledger, show: str) -> None:
    ledger.set_pools(show, {"floor": 5, "stand": 5})
    ledger.decide(claim(show, "b-1", pools={"floor": 3}))
    with pytest.raises(PlanConflict, match="floor") as refusal:
        ledger.set_pools(show, {"stand": 1, "floor": 2, "new": 1})
    assert refusal.value.conflicts == {"floor": "3 are sold"}
    assert ledger.pools(show) == {"floor": PoolStock(5, 3), "stand": PoolStock(5, 0)}, "all or none"
    ledger.set_pools(show, {"floor": 3})
    ledger.set_pools(show, {})
    assert ledger.pools(show)["floor"] == PoolStock(3, 3)


def test_a_claim_of_another_epoch_is_no_answer_and_writes_nothing(ledger: Ledger, show: str) -> None:
    before = ledger.decide(claim(show, "b-1", ["A-1"]))
    assert (ledger.epoch(show), ledger.raise_epoch(show), ledger.epoch(show)) == (1, 2, 2)
    answers = ledger.decide_many(
        [
            claim(show, "b-1", ["A-1"]),  # decided before
            claim(show, "b-2", ["A-2"]),  # stale, and pinned again further on
            claim(show, "b-3", ["A-3"], epoch=3),
            claim(show, "b-2", ["A-2"], epoch=2),
            claim(show, "b-2", ["A-2"]),
        ]
    )
    assert statuses(answers) == ["confirmed", "stale", "stale", "confirmed", "confirmed"]
    assert answers[0].record == before.record
    assert answers[1].record is None
    assert {answer.epoch for answer in answers} == {2}
    assert ledger.outcome(show, "b-3") is None
    assert contradictions(ledger) == []


def test_the_epoch_of_a_show_that_was_never_decided_can_be_raised(ledger: Ledger, show: str) -> None:
    assert [ledger.raise_epoch(show) for _ in range(3)] == [2, 3, 4]
    assert ledger.decide(claim(show, "b-1", ["A-1"], epoch=4)).status == "confirmed"


def test_a_tombstone_is_final_and_answers_what_is_on_record(ledger: Ledger, show: str) -> None:
    ledger.decide(claim(show, "b-1", ["A-1"]))
    asked = [claim(show, "b-1", ["A-1"]), claim(show, "b-2", ["A-2"]), claim(show, "b-2", ["A-2"])]
    answers = ledger.tombstone([*asked, claim(show, "b-1", ["A-9"])], reason="the hold was lost")
    assert [answer.status for answer in answers] == ["confirmed", "rejected", "rejected", "mismatch"]
    assert answers[1].record is not None
    assert answers[1].record.reason == "the hold was lost"
    assert ledger.decide(asked[1]).record == answers[1].record
    assert ledger.tombstone(asked, reason="again")[1].record == answers[1].record
    assert contradictions(ledger) == []


def test_cancelling_gives_seats_and_quantities_back_once(ledger: Ledger, show: str) -> None:
    ledger.set_pools(show, {"floor": 2})
    ledger.decide(claim(show, "b-1", ["A-1", "A-2"], pools={"floor": 2}))
    cancelled = ledger.cancel(show, "b-1", by="eve", reason="refund")
    assert (cancelled.status, cancelled.reason, cancelled.holder) == ("cancelled", "refund", "ann")
    assert cancelled.cancelled_at is not None
    assert cancelled.cancelled_at >= cancelled.decided_at
    assert ledger.cancel(show, "b-1", by="bob", reason="again") == cancelled
    assert (ledger.sold(show), ledger.pools(show)) == ([], {"floor": PoolStock(2, 0)})
    assert ledger.decide(claim(show, "b-1", ["A-1", "A-2"], pools={"floor": 2})).status == "cancelled"
    assert ledger.decide(claim(show, "b-2", ["A-1"], pools={"floor": 1})).status == "confirmed"
    assert [(entry.what, entry.who, entry.booking, entry.reason) for entry in ledger.history(show, "A-1")] == [
        ("sold", "ann", "b-1", None),
        ("cancelled", "eve", "b-1", "refund"),
        ("sold", "ann", "b-2", None),
    ]
    of_pool = ledger.pool_history(show, "floor")
    assert [(entry.what, entry.who, entry.booking, entry.reason, entry.quantity) for entry in of_pool] == [
        ("sold", "ann", "b-1", None, 2),
        ("cancelled", "eve", "b-1", "refund", 2),
        ("sold", "ann", "b-2", None, 1),
    ]
    assert ledger.pool_history(show, "floor", after=of_pool[0].id, limit=1) == of_pool[1:2]
    assert contradictions(ledger) == []


def test_a_seat_and_a_pool_of_one_name_have_histories_of_their_own(ledger: Ledger, show: str) -> None:
    ledger.set_pools(show, {"A-1": 2})
    ledger.decide(claim(show, "b-1", ["A-1"]))
    ledger.decide(claim(show, "b-2", [], pools={"A-1": 2}))
    ledger.decide(claim(show, "b-3", ["A-1"]))  # too late: a no is in no seat's history, but in the booking's row
    assert [(entry.booking, entry.quantity) for entry in ledger.history(show, "A-1")] == [("b-1", None)]
    assert [(entry.booking, entry.quantity) for entry in ledger.pool_history(show, "A-1")] == [("b-2", 2)]


def test_what_is_cancelled_before_it_is_decided_never_will_be(ledger: Ledger, show: str) -> None:
    cancelled = ledger.cancel(show, "b-1", by="eve", reason="too soon")
    assert (cancelled.status, cancelled.holder, cancelled.seats, cancelled.reason) == (
        "cancelled",
        None,
        (),
        "too soon",
    )
    assert cancelled.cancelled_at is not None
    assert ledger.cancel(show, "b-1", by="eve") == cancelled
    for payment in ("p1", "p2"):
        assert ledger.decide(claim(show, "b-1", ["A-1"], payment=payment)).record == cancelled
    assert ledger.tombstone([claim(show, "b-1", ["A-1"])], reason="no")[0].status == "cancelled"
    assert ledger.sold(show) == []


def test_cancelling_what_was_rejected_leaves_it(ledger: Ledger, show: str) -> None:
    ledger.tombstone([claim(show, "b-1", ["A-1"])], reason="no")
    assert ledger.cancel(show, "b-1", by="eve").status == "rejected"


def test_the_pages_of_what_is_sold_and_of_a_history(ledger: Ledger, show: str) -> None:
    seats = ["é-1", "Z-1", "a-1", "B-10", "B-2"]
    ledger.decide_many([claim(show, f"b-{number}", [seat]) for number, seat in enumerate(seats)])
    pages = []
    after = ""
    while page := ledger.sold(show, after=after, limit=2):
        pages.append([sold.seat for sold in page])
        after = page[-1].seat
    assert pages == [["B-10", "B-2"], ["Z-1", "a-1"], ["é-1"]], "in the order of their bytes, on every database"
    ledger.cancel(show, "b-0", by="eve")
    first = ledger.history(show, "é-1", limit=1)
    assert [entry.what for entry in ledger.history(show, "é-1", after=first[0].id)] == ["cancelled"]
    with pytest.raises(InvalidRequest, match="control character"):
        ledger.sold(show, after="A\x00")
    for limit in (0, 10_001, True):
        with pytest.raises(InvalidRequest, match="limit"):
            ledger.sold(show, limit=limit)


def test_shows_do_not_touch_each_other(ledger: Ledger, show: str) -> None:
    both = [claim(show, "b-1", ["A-1"]), claim(f"{show}-2", "b-1", ["A-1"])]
    assert statuses(ledger.decide_many(both)) == ["confirmed", "confirmed"]
    ledger.cancel(show, "b-1", by="eve")
    assert [sold.seat for sold in ledger.sold(f"{show}-2")] == ["A-1"]


def test_more_than_a_transaction_takes(ledger: Ledger, show: str) -> None:
    one_each = [claim(show, f"b-{number}", [f"S-{number}"]) for number in range(1_100)]
    assert set(statuses(ledger.decide_many(one_each))) == {"confirmed"}
    many = [claim(show, f"m-{at}", [f"M-{at}-{number}" for number in range(100)]) for at in range(120)]
    assert set(statuses(ledger.decide_many(many))) == {"confirmed"}
    assert query(ledger, "SELECT count(*) FROM sold_seats WHERE show = :show", show=show) == [(13_100,)]
    assert ledger.decide_many([]) == []


def test_ids_of_every_kind_come_back_as_they_were(ledger: Ledger, show: str) -> None:
    seats = ['quote " and \\ backslash', "{brace}: %s :name", "Loge 7 — réservée", "'; DROP TABLE bookings; --", "🎭"]
    asked = claim(show, "b'\"\\%-1", seats, holder="O'Neil {x} 'é'", payment="päy %(rows)s")
    record = ledger.decide(asked).record
    assert record == ledger.outcome(show, asked.booking)
    assert record is not None
    assert (record.seats, record.holder, record.payment) == (tuple(seats), asked.holder, asked.payment)
    assert sorted(sold.seat for sold in ledger.sold(show)) == sorted(seats)
    assert contradictions(ledger) == []


def test_no_token_is_kept(show: str) -> None:
    token = "0123456789abcdef" * 2
    assert hash_of(token) == hashlib.sha256(token.encode()).hexdigest()
    with pytest.raises(InvalidRequest, match="token_hash") as refusal:
        msgspec.structs.replace(claim(show, "b-1", ["A-1"]), token_hash=token)
    assert token not in str(refusal.value)
