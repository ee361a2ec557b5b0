"""Poses of people: what DWPose's networks take and give, and how skeletons are drawn."""
