"""Withdrawal of a patient: all that holds the patient, and all that descends from it."""
