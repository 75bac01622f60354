"""Training formats: messages, chat templates, prompts, the lines of training files and the limits of services."""
