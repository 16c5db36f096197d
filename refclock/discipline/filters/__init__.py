"""The filters of the bank: one class for each model of the clock."""
