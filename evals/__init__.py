"""Evaluation: recorded exceptions, histories, what if, shadows and lessons. Who analyzes writes `import missions as ms`."""
