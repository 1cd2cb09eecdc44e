"""Attacks: `poisoning` changes training sets, `adversarial` changes inputs of a trained model."""
