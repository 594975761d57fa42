"""`missions model check`: one question to the model of the settings."""

import typer

from cli.screen import progress, say
from errors import BadInput
from graphs.reasoners import open_model, try_model
from settings import settings

app = typer.Typer(no_args_is_help=True)


@app.command("check")
def check_model() -> None:
    """Ask the model one question without any case: whether it answers, in which way, how soon, and for how many tokens."""
    chosen = settings()
    with open_model(chosen) as model:
        if model is None:
            raise BadInput("There is no model to check: name one in MISSIONS_MODEL (docs/models.md).")
        with progress("asking", 1) as advance:
            reply = try_model(model)
            advance()
    again = f", asked {reply.retries + 1} times" if reply.retries else ""
    say(f"{model.name} answers by {reply.structure} in {reply.latency_ms / 1000:.1f} s{again}.")
    say(f"The question took {reply.input_tokens} tokens, the answer {reply.output_tokens}.")
    if reply.answer["more"] != 3:
        say("The answer is wrong, though its form is right: use a larger model, or leave the planner to propose.")
    say(f"Proposals are made by: {chosen.reasoner_name}.")
