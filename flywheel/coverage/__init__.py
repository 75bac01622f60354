"""Coverage: which values of which axes a set holds, against what the recipe wants and what people ask for."""
