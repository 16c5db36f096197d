"""The responder's instructions, by what they decide; `program` puts them in order."""
