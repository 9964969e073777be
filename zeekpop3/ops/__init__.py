"""What an operator needs: the systemd unit. Data only."""
