"""Tests of the rooms of the experiment."""
