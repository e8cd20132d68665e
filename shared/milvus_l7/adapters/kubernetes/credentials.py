"""Access tokens of the identity that a function runs as."""

from __future__ import annotations

from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from milvus_l7.domain.reasons import Reason
from milvus_l7.domain.reasons.errors import Transient

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

# What Kubernetes clients ask for on GKE: the API server maps the e-mail address to an RBAC user.
SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)
REFRESH_S = 10.0


class TokenSource:
    """Gives a valid bearer token at every call; safe to call from several threads.

    Credentials are found at the first call (Application Default Credentials) and refreshed when they are
    about to expire, which google-auth takes to be almost four minutes early.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._credentials: Credentials | None = None

    def __call__(self) -> str:
        """Return a valid token.

        Raises `Transient(CLUSTER_UNAVAILABLE)` if the identity provider gives none.
        """
        from google.auth.exceptions import GoogleAuthError

        with self._lock:
            try:
                return self._token()
            except GoogleAuthError as error:
                # The error's text may quote the provider's answer, so only its kind is told.
                message = f"no access token for the function's identity ({type(error).__name__})"
                raise Transient(Reason.CLUSTER_UNAVAILABLE, message) from None

    def _token(self) -> str:
        from google import auth
        from google.auth.transport.requests import Request

        if self._credentials is None:
            self._credentials, _ = auth.default(scopes=list(SCOPES))
        if not self._credentials.valid:
            self._credentials.refresh(partial(Request(), timeout=REFRESH_S))  # type: ignore[no-untyped-call]
        return str(self._credentials.token)
