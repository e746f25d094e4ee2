"""How threads wait on cores that other work uses, too."""

import pytest

from cmrslices.runtime.cores import OWN_CHOICES, share_cores


@pytest.mark.parametrize("name", OWN_CHOICES)
def test_what_the_user_has_chosen_is_left_as_it_is(name):
    environment = {name: "mine"}
    share_cores(environment)
    assert environment == {name: "mine"}
