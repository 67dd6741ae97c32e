"""The same provider as a LangChain chat model."""
