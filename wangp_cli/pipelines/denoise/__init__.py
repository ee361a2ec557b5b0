"""The denoising loop: steps, schedules, guidance, conditions, caches, attention. No family owns it."""
