"""Programs written for other libraries, run with fastnn. Each module acts when it is imported, and only then."""
