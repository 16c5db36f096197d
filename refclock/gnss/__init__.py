"""A receiver's bytes -> sentences, frames and facts."""
