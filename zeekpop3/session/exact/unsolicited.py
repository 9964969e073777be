"""What the server sends without a line of the client to answer: the greeting, answers to lines that the log
does not have, and answers that come before the question.

If the log has every line of the client, a response before the next line is unsolicited, or the server answers
lines that the client has not sent yet. It is held until the bytes behind that line tell: if the server
answers the line there, what came before was unsolicited. Otherwise the responses belong to the lines in order
(`answered_early`).
"""

from __future__ import annotations

from dataclasses import dataclass

from zeekpop3.defects import Defect
from zeekpop3.session.events import Exchange
from zeekpop3.session.exact.answers import Answers
from zeekpop3.session.exact.commands import Sent
from zeekpop3.session.exact.losses import unmatched_message
from zeekpop3.session.exact.responses import Response
from zeekpop3.session.exact.spans import find_end, status_at
from zeekpop3.session.protocol import is_multiline, parse_status, starts_status, to_text

_MAX_EARLY = 1000


@dataclass(slots=True)
class Unsolicited:
    """What was read up to `stop`."""

    stop: int
    exchange: Exchange | None = None


def read_unsolicited(answers: Answers, final: bool) -> Unsolicited | None:
    """Read what lies at the stream's position; None if more rows are needed for it."""
    stream, client, dialogue = answers.stream, answers.client, answers.dialogue
    start = stream.position
    if client.requests.lost and not client and not final:
        return None  # the next line may show which one was lost
    limit = next(
        (sent.offset for sent in (client.first, client.second) if sent and sent.offset > start), None
    )
    stop = stream.end if limit is None else min(limit, stream.end)
    more = not final and (limit is None or stream.end < limit)
    hole = stream.first_hole(start)
    after = stream.line_end(start, min(hole, stop))
    if after < 0:
        if hole < stop:
            return None if more else _read_damaged(answers, start, stop)
        if limit is not None and stream.end >= limit:
            dialogue.session.add_defect(Defect.REPLY_MALFORMED)
            return Unsolicited(stop)
        return None
    line = stream.bytes_at(start, after)
    parsed = parse_status(line)
    if dialogue.expects_greeting and start == 0:
        dialogue.greeting(*(parsed or ("", to_text(line).rstrip("\r\n"))))
        return Unsolicited(after)
    if parsed is None:
        if not line.startswith(b"+"):  # else a challenge whose AUTH was lost
            dialogue.session.add_defect(Defect.REPLY_MALFORMED)
        return Unsolicited(after)
    certain = not client.requests.damage_seen
    if certain and start >= answers.settled:
        if (limit is None and not final) or (limit == stream.end and not final):
            return None
        answers.settled = stop
        if _answers_early(answers, start, stop, final):
            return Unsolicited(start)
    if after == stop and more:
        return None  # whether lines follow is not known yet
    response = _response(answers, Response(start, *parsed, after, stop=after), line, stop)
    if response.search is not None and not response.find_end(stream, min(hole, stop)):
        if hole < stop:
            return None if more else _read_damaged(answers, start, stop)
        if more:
            return None
        response.stop = response.body_stop = stop
        response.ended = False
    sent = Sent(None, "", start, stream.time_before(start))
    return Unsolicited(response.stop, _exchange(answers, sent, response, certain))


def _response(answers: Answers, response: Response, line: bytes, stop: int) -> Response:
    """The response that starts with a status line; as it was, if its lines have been searched before."""
    before, after = answers.response, response.body_start
    if before is not None and before.start == response.start and before.search is not None:
        return before
    following = answers.stream.bytes_at(after, min(after + 5, stop))
    if response.status == "OK" and following and not starts_status(following, False):
        response.expect_lines(line)
    answers.response = response
    return response


def _exchange(answers: Answers, sent: Sent, response: Response, certain: bool) -> Exchange:
    """A response without a line: its content shows what it answers."""
    requests = answers.client.requests
    exchange = response.exchange(answers.stream, sent)
    if response.status == "OK":
        exchange.command, exchange.argument = requests.guess(response.message, exchange.body)
    if certain:
        exchange.argument = None
        exchange.defects.append(Defect.RESPONSE_UNSOLICITED)
    else:
        requests.damage_seen = True
        if exchange.argument is not None:
            requests.answered.add(exchange.argument)
        exchange.defects.append(Defect.REQUEST_MISSING)
    return exchange


def _read_damaged(answers: Answers, start: int, stop: int) -> Unsolicited:
    """The same where bytes are missing: a message that has begun is kept as far as it goes."""
    stream, dialogue = answers.stream, answers.dialogue
    if dialogue.expects_greeting:
        dialogue.expects_greeting = False
        end = min(stream.hole_stop(start), stop)
        return Unsolicited(end)
    exchange, end = unmatched_message(stream, start, stop, answers.client.requests)
    if exchange is None:
        return Unsolicited(end)
    exchange.defects.append(Defect.REQUEST_MISSING)
    return Unsolicited(end, exchange)


def _answers_early(answers: Answers, start: int, stop: int, final: bool) -> bool:
    """Decide whether the responses up to `stop` answer the lines that the client sent behind them; if so,
    move the lines in front of them."""
    stream, client = answers.stream, answers.client
    forms: list[bool] = []
    at = start
    while at < stop and len(forms) < _MAX_EARLY:
        status = status_at(stream, at)
        if status is None:
            return False
        word, _, at = status
        lines = word == "OK" and at < stop and not starts_status(stream.bytes_at(at, at + 5), False)
        if lines:
            at = find_end(stream, at - 1, stop)
            if at < 0:
                return False
        forms.append(lines)
    asked = client.ahead(len(forms))
    fits = len(asked) == len(forms) and all(
        not lines or is_multiline(sent.command, sent.argument, "OK")
        for lines, sent in zip(forms, asked, strict=False)
    )
    if not fits or not (final or any(forms)):
        return False
    for sent in asked:
        sent.offset = start
    answers.early_until = stop
    return True
