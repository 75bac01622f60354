"""Quality told in numbers: measures of a dataset, the targets over them, and the one judge of both."""
