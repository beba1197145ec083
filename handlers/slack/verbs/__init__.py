"""What each verb does: it reads what was typed, acts in one transaction, and says what happened or what to do."""
