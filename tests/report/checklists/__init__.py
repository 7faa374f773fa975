"""Tests of what studies assemble."""
