"""What users extend: builders, generators and ensemble strategies."""
