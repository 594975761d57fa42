"""`missions audit verify` and `missions audit export`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.screen import say
from cli.session import open_ledger
from errors import BadInput
from graphs.approval_audit import ApprovalAudit
from graphs.ledgers import heads_outside
from graphs.policy_versions import read_policies_in_force
from ledger.audit_export import HEAD, KEY, Examined, examine, examine_export, examine_head, own_key, read_head
from ledger.audit_export import export as export_log
from ledger.canonical import utc_now
from ledger.services import AdminService
from ledger.signatures import fingerprint, public_key, signing_key
from settings import settings
from systems.catalogue import load_catalogue

app = typer.Typer(no_args_is_help=True)


@app.command("verify")
def verify_audit(
    head: Annotated[Path | None, typer.Option(help="The head.json of an export; its row must still be in the log.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Public key (PEM) that verifies the heads; default: this installation's.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Verify the export in this folder, without a database.")] = None,
) -> None:
    """Check the hash chain, that the ledger is as the audit log says, and what each plan took; exit 1 if anything is wrong."""
    if export is not None:
        if head is not None:
            raise BadInput("--export is verified with its own head; omit --head")
        trusted = public_key(key or export / KEY)
        _print_result(examine_export(export, trusted), f"The export is intact, and signed by the key {fingerprint(trusted)}")
        return
    heads, theirs = heads_outside(settings()), public_key(key) if key else None
    if key is not None and head is None and heads.folder is None:
        raise BadInput("--key verifies the signature of a head; name the head with --head")
    with open_ledger() as ledger:
        audit, goes_on = _approval_audit(AdminService(ledger)), ""
        if head is None:
            examined = examine(ledger, also=audit)
        else:
            kept = read_head(head)
            examined = examine_head(ledger, kept, theirs or own_key(heads.key), also=audit)
            goes_on = f" it continues from row {kept.seq} of the head,"
        problems, compared = heads.compare(ledger, theirs)
        say(audit.summary())
        if compared:
            say(compared)
        examined = replace(examined, problems=[*problems, *examined.problems])
        _print_result(examined, f"The audit log is intact,{goes_on} and the ledger is as it says")
        heads.keep(ledger)


@app.command("export")
def export_audit(
    out: Annotated[Path, typer.Option(help="The folder; an export already there is replaced.")] = Path("audit-export"),
) -> None:
    """Write the audit log as JSON lines, with a signed head to be kept elsewhere."""
    key = signing_key(settings().audit_signing_key)
    with open_ledger() as ledger:
        head = export_log(ledger, out, key, utc_now())
    say(f"{head.seq} rows of the audit log are in {out}, to row {head.seq}, {head.digest}.")
    say(f"{HEAD} is signed with the key {head.key}, whose public half is {KEY}. Keep both where no one who works here can write.")


def _approval_audit(desk: AdminService) -> ApprovalAudit:
    """By the policies that decided; where packs or policies do not load, it says so, and the rest is verified."""
    try:
        kept = desk.policies_kept(limit=None)
        for sentence in read_policies_in_force(settings(), kept[:1]).messages():
            say(sentence)
        return ApprovalAudit.of(settings(), kept)
    except BadInput as error:
        say(f"Policies and packs do not load, so no plan was recomputed: {error}")
        return ApprovalAudit({}, load_catalogue(settings().systems), [])


def _print_result(examined: Examined, sentence: str) -> None:
    for problem in examined.problems:
        say(problem)
    if examined.problems:
        raise typer.Exit(1)
    seq, digest = examined.end
    say(f"{sentence}: {seq} rows, head {digest}.")
