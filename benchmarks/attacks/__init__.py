"""Attacks: `poisoning` changes training sets, `adversarial` the inputs of a trained model."""
