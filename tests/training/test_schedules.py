import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.training.schedules import SCHEDULES, Schedule

shares = st.floats(0, 0.95)


@given(name=st.sampled_from(SCHEDULES), steps=st.integers(2, 500), warm_up=shares, final=st.floats(0, 1))
def test_the_learning_rate_rises_and_then_never_rises_again(name, steps, warm_up, final):
    schedule = Schedule(name, warm_up, 0.0 if name == "constant" else final)
    rates = [schedule(step, steps) for step in range(steps)]
    rise = [rate for step, rate in enumerate(rates) if step < warm_up * steps]
    fall = rates[len(rise) :]
    assert rise == sorted(rise) and fall == sorted(fall, reverse=True)
    assert all(-1e-12 <= rate <= 1 for rate in rates)


def test_each_schedule_goes_its_own_way_from_the_peak_to_the_last_rate():
    halfway = {name: Schedule(name, 0.0, 0.0)(25, 101) for name in SCHEDULES}
    assert halfway["constant"] == 1
    assert halfway["triangular"] == pytest.approx(0.75)
    assert halfway["cosine"] == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert Schedule("cosine", 0.1, 0.25)(100, 101) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "cosin"}, r"Unknown schedule 'cosin'\. Did you mean 'cosine'\?"),
        ({"warm_up": 1.0}, r"warm_up is 1\.0, but must be a number from 0 to below 1\."),
        ({"final": 1.5}, r"final is 1\.5, but must be a number from 0 to 1\."),
        ({"final": math.nan}, "final is nan"),
        ({"name": "constant", "final": 0.1}, "a constant learning rate never falls"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        Schedule(**values)
