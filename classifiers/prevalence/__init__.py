"""What share of posts bears a tag, corrected for the model's errors, and how sure that is."""
