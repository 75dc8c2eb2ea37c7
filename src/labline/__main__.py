"""`python -m labline` is the same as `labline`."""

from labline.cli import main

if __name__ == "__main__":
    main()
