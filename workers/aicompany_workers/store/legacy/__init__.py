"""Reading the two SQLite databases that the company's predecessor kept, and telling them as events of today."""
