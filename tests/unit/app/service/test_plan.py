"""What follows from the plan of a service."""

from gglib.app.service.plan import ServicePlan


def test_variables_are_those_that_are_needed() -> None:
    """The default home is not set."""
    plan = ServicePlan(program=("/opt/gglib", "-x"), home="/data", search_path="/bin", drain_s=10.5)
    assert plan.arguments == ("/opt/gglib", "-x", "serve")
    assert plan.environment == {"GGLIB_HOME": "/data", "PATH": "/bin"}
    assert plan.stop_timeout_s == 26
    assert not plan.is_system
    assert ServicePlan(program=("/opt/gglib",), user="gglib").is_system
    assert ServicePlan(program=("/opt/gglib",)).environment == {}
