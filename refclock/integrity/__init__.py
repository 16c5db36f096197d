"""Is the receiver to be believed?"""
