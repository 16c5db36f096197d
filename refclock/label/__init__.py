"""Which second is this pulse?"""
