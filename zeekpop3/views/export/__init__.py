"""Mails as documents for other systems: ECS, OCSF, plain JSON, and Zeek logs; each mail once."""
