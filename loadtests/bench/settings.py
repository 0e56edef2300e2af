"""How much is run: the whole benchmark (a quarter of an hour on two cores), the quick one, and the one that CI runs."""

from __future__ import annotations

import msgspec


class Settings(msgspec.Struct, frozen=True):
    """Sizes of every measurement. Runs of the throughput measurements are as long as ``run_seconds`` asks for."""

    trial: int = 400  # bookings of the run that finds out how long the real ones must be
    rounds: int = 5
    crowd_rounds: int = 3
    run_seconds: float = 0.7
    levels: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    threads: tuple[int, ...] = (1, 4, 16, 64)
    thread_rounds: int = 3
    most_bookings: int = 60_000
    hot_buyers: int = 10_000
    calls: int = 1_000
    call_rounds: int = 7
    growth_seats: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    growth_acquires: int = 10_000
    growth_rounds: int = 3
    loads: tuple[int, ...] = (25, 50, 75, 90)
    load_seconds: float = 3.0
    load_rounds: int = 3
    processes: tuple[int, ...] = (1, 2, 4)
    scaling_rounds: int = 3
    scaling_bookings: int = 30_000
    strict_processes: tuple[int, ...] = (1, 2)
    strict_buyers: tuple[int, ...] = (1_000,)
    strict_rounds: int = 5
    strict_confirms: int = 20_000
    profile_seconds: float = 3.0
    room_people: tuple[int, ...] = (10_000, 1_000_000, 10_000_000)
    room_uuids: tuple[int, ...] = (1_000_000,)
    room_rounds: int = 5
    estimate_people: int = 4_000
    draws: int = 10_000
    draw_people: int = 200


FULL = Settings()

QUICK = Settings(
    trial=100,
    rounds=2,
    crowd_rounds=2,
    run_seconds=0.12,
    levels=(1, 100, 1_000),
    threads=(1, 16),
    thread_rounds=2,
    hot_buyers=2_000,
    calls=200,
    call_rounds=3,
    growth_seats=(1_000, 10_000, 50_000),
    growth_acquires=1_500,
    growth_rounds=2,
    loads=(50, 90),
    load_seconds=0.5,
    load_rounds=2,
    processes=(1, 2),
    scaling_rounds=2,
    scaling_bookings=5_000,
    strict_processes=(1,),
    strict_buyers=(500,),
    strict_rounds=2,
    strict_confirms=4_000,
    profile_seconds=0.8,
    room_people=(10_000, 50_000),
    room_uuids=(10_000,),
    room_rounds=2,
    estimate_people=2_500,
    draws=1_000,
)
