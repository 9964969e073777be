"""Views of the tables and logs for people: pages, SQL, files, transcripts."""
