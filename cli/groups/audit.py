"""`missions audit …`."""

from pathlib import Path
from typing import Annotated

import typer

audit = typer.Typer(no_args_is_help=True, help="The audit log.")


@audit.command("verify")
def audit_verify(
    head: Annotated[Path | None, typer.Option(help="The head.json of an export: its row must still be there.")] = None,
    key: Annotated[Path | None, typer.Option(help="Public key (PEM) that signed the head; the one of this installation.")] = None,
    export: Annotated[Path | None, typer.Option(help="Verify the export in this folder, without a database.")] = None,
) -> None:
    """Check the hash chain, and that the ledger is as the audit log says; exit 1 if anything was changed."""
    from cli.auditing import verify_audit

    verify_audit(head, key, export)


@audit.command("export")
def audit_export(
    out: Annotated[Path, typer.Option(help="The folder; an export that is in it is replaced.")] = Path("audit-export"),
) -> None:
    """Write the audit log as JSON lines, with a signed head to be kept elsewhere."""
    from cli.auditing import export_audit

    export_audit(out)
