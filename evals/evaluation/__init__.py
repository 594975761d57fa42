"""Evaluation: Missions run over recorded exceptions, and how their answers compare with what is expected."""
