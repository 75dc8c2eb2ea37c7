"""The model room: tasks, families, training, evaluation, the bundle, the registry, promotion."""
