"""What takes longer than a test may: kills at random moments, fuzzing, many examples, a very large file."""
