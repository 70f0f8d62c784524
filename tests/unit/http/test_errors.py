"""The errors of the HTTP server as clients see them."""

import json

import pytest

from gglib.http import errors
from gglib.proxy.errors import to_error_response

STATUSES = {
    errors.MalformedFormError("x"): 400,
    errors.MalformedMessageError("x"): 400,
    errors.PlainHttpError(): 400,
    errors.RequestTimeoutError("x"): 408,
    errors.BodyTooLargeError(5): 413,
    errors.TargetTooLongError("x"): 414,
    errors.ExpectationFailedError("x"): 417,
    errors.HeadTooLargeError("x"): 431,
    errors.UnsupportedTransferCodingError("x"): 501,
    errors.TooManyBodiesError(): 503,
    errors.TooManyChunksError(): 400,
    errors.TooManyConnectionsError(): 503,
    errors.UnsupportedVersionError("x"): 505,
}


@pytest.mark.parametrize(("error", "status"), STATUSES.items(), ids=lambda value: str(value)[:20])
def test_each_error_has_its_status(error: errors.HttpError, status: int) -> None:
    """Every class has the status of its row; only errors that a retry cannot fix are marked as not retryable."""
    error_response = to_error_response(error)
    assert error_response.status == status
    assert json.loads(error_response.body)["error"]["code"] == error.code
    is_hopeless = (b"x-should-retry", b"false") in error_response.headers
    assert is_hopeless == (status in {501, 505})


def test_every_class_is_in_the_table() -> None:
    """The table above has all classes."""
    classes = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.HttpError) and value is not errors.HttpError
    }
    assert {type(error) for error in STATUSES} == classes
