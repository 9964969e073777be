"""Who logs in, and whether the server accepts it (RFC 1939, section 7; RFC 5034).

Rule: a name becomes the session's user only when the server accepts a login with it. A refused name is listed
as refused. A login whose name is unknown leaves the user unknown, whoever tried to log in before. In SASL the
user is the one whose mailbox is opened (the authorization identity, RFC 4422), not the one who logged in.

The exchanges decide. `login` rows (plain form) only add the name of a SASL login,
and stand in for exchanges that the log does not have.
"""

from __future__ import annotations

from dataclasses import dataclass

from zeekpop3.defects import Defect
from zeekpop3.session.events import Exchange, Session

_MAX_REFUSED = 100


@dataclass(slots=True)
class Logins:
    """Fills in the session's user and the columns about authentication."""

    session: Session
    _name: str | None = None  # of the last USER, unless the server refused it
    _reported: str | None = None  # by a `login` row, for the present AUTH
    _named: bool = True  # False: a `login` row says that the name is in doubt
    _decided: bool = False  # an exchange has decided a login; before that, `login` rows do
    _unnamed: bool = False  # the last accepted login was SASL, its name not known yet
    undecided: tuple[str | None, str | None] | None = (
        None  # mechanism and name of a login whose answer was lost
    )
    _failures_reported: int = 0
    _failures_seen: int = 0

    def exchange(self, exchange: Exchange) -> None:
        """Take the exchange of a USER, PASS, APOP or AUTH."""
        command, argument = exchange.command, exchange.argument or ""
        if exchange.doubtful:  # the name may not be what the server read
            argument = argument.partition(" ")[0] if command == "AUTH" else ""
            self._name = self._reported = None
        if command == "USER":
            if exchange.status == "ERR":
                self._add_refused(_valid(argument))
            self._name = _valid(argument) if exchange.status != "ERR" else None
            self._named, self.undecided = True, None
        elif command == "PASS":
            self._decide(exchange, "USER", self._name if self._named else None)
        elif command == "APOP":
            self._decide(exchange, "APOP", _valid(argument.partition(" ")[0]))
        elif exchange.body is None:  # else it asked for the list of mechanisms
            mechanism, _, user = argument.partition(" ")
            if argument or exchange.challenged or exchange.status == "OK":
                name = (_valid_sasl(user) or self._reported) if self._named else None
                if exchange.status == "OK" and exchange.responses > _responses(mechanism.upper()):
                    name = None  # the server asked for another name than the first
                self._decide(exchange, mechanism.upper() or None, name)
                self._unnamed = exchange.status == "OK" and self.session.user is None
            self._reported, self._named = None, True

    def unknown_request(self, exchange: Exchange) -> None:
        """Take a reply whose request was lost: after USER, an +OK is that to PASS, if there is only one."""
        if exchange.status == "OK":
            self.undecided = ("USER", self._name) if self._name is not None else None
            self._name = None

    def transaction(self) -> None:
        """The server has answered +OK to a command that needs a login: it has accepted the last one."""
        if self.undecided is not None:
            self._accept(*self.undecided)

    def _decide(self, exchange: Exchange, mechanism: str | None, user: str | None) -> None:
        session = self.session
        self._unnamed = False
        if exchange.status == "OK":
            self._accept(mechanism, user)
        elif exchange.status == "ERR":
            self._failures_seen += 1
            if not self._decided:
                session.auth_result = None
                self._set_user(None)
            self._decided, self.undecided = True, None
            self._refuse(user)
            if session.auth_result != "success":
                session.auth_mechanism = mechanism
        else:
            session.auth_mechanism = session.auth_mechanism or mechanism
            self.undecided = (mechanism, user) if Defect.STATUS_MISSING in exchange.defects else None

    def _accept(self, mechanism: str | None, user: str | None) -> None:
        session = self.session
        session.auth_result, session.auth_mechanism = "success", mechanism
        self._set_user(user)
        self._name = self.undecided = None
        self._decided = True

    def _set_user(self, name: str | None) -> None:
        """The user is the one whose mailbox is opened; behind a NUL in a SASL name, the one who logged in."""
        user, _, authenticated_as = (name or "").partition("\0")
        self.session.user = user or None
        self.session.authenticated_as = authenticated_as if authenticated_as not in ("", user) else None

    def _refuse(self, user: str | None) -> None:
        session = self.session
        session.logins_failed = max(self._failures_seen, self._failures_reported)
        session.auth_result = session.auth_result or "failure"
        self._add_refused(user.partition("\0")[0] if user else None)

    def _add_refused(self, user: str | None) -> None:
        refused = self.session.users_refused
        if user and user not in refused and len(refused) < _MAX_REFUSED:
            refused.append(user)

    def reported(self, result: str, user: str | None) -> None:
        """Take a `login` row."""
        session, user = self.session, _valid_sasl(user or "")
        self._named = user is not None
        if result != "success":
            # Zeek reports a failure only if it knows the user; the replies show the others.
            self._failures_reported += 1
            self._refuse(user)
        elif self._unnamed:
            self._set_user(user)
            self._unnamed = False
        else:
            self._reported = user
            if not self._decided:
                session.auth_result = "success"
                self._set_user(user)


def _responses(mechanism: str) -> int:
    """How many responses a login has, if they name the user: RFC 5034; RFC 5802 with its last, empty one."""
    return 3 if mechanism.startswith("SCRAM-") else 2 if mechanism in ("LOGIN", "NTLM") else 1


def _valid(name: str) -> str | None:
    """A user name; None if it is empty or contains a NUL, at which servers differ."""
    return name if name and "\0" not in name else None


def _valid_sasl(name: str) -> str | None:
    """The same for SASL, where the log has two names if they differ: the mailbox, NUL, who logged in."""
    return name if name and all(name.split("\0", 2)) and name.count("\0") < 2 else None
