"""Challenges before the secret is checked: proof of work, a captcha, a wait. They show effort, never identity."""
