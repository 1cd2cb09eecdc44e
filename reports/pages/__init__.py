"""The pages of the site: what each shows, its template, and how it is written."""
